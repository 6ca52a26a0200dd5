import { z } from "zod";
import { Failure } from "../../lib/failure";
import { marker } from "./comment";

/** A pull request in Gitea. */
export interface PullRequest {
    /** Base URL of Gitea. */
    readonly server: string;
    /** `<owner>/<name>` */
    readonly repository: string;
    readonly number: number;
    /** A token that may write to pull requests. */
    readonly token: string;
}

const comments = z.array(z.object({ id: z.number(), body: z.string() }));

async function call({ server, repository, token }: PullRequest, method: string, path: string, body?: object) {
    const url = `${server}/api/v1/repos/${repository}/issues/${path}`;
    const response = await fetch(url, {
        method,
        headers: { authorization: `token ${token}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(30_000),
    }).catch((error: unknown) => {
        throw new Failure(`${method} ${url}: no answer: ${error instanceof Error ? error.message : String(error)}`);
    });
    const text = await response.text();
    if (!response.ok) {
        throw new Failure(`${method} ${url}: Gitea answered ${response.status}: ${text.slice(0, 300)}`);
    }
    return JSON.parse(text) as unknown;
}

/**
 * Posts the preview's comment on a pull request, instead of the one from an earlier commit.
 *
 * @throws Failure with Gitea's answer when it refuses
 */
export async function putComment(request: PullRequest, body: string): Promise<void> {
    const existing = comments.parse(await call(request, "GET", `${request.number}/comments`));
    const ours = existing.find((comment) => comment.body.startsWith(marker));
    if (ours) {
        await call(request, "PATCH", `comments/${ours.id}`, { body });
    } else {
        await call(request, "POST", `${request.number}/comments`, { body });
    }
}
