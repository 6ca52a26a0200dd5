import { z } from "zod";
import { Failure } from "../../lib/failure";
import { exitCodes } from "../verb";
import { marker, rehearsalMarker } from "./comment";

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
 * The pull request with a number, as a job of Gitea Actions knows it.
 *
 * @throws Failure when a variable that every job has is missing
 */
export function pullRequestOfJob(number: number): PullRequest {
    const variable = (name: string) => {
        const value = process.env[name];
        if (value === undefined || value === "") {
            throw new Failure(`${name} is not set: a job of Gitea Actions has it`, exitCodes.usage);
        }
        return value;
    };
    const [server, repository] = [variable("GITHUB_SERVER_URL"), variable("GITHUB_REPOSITORY")];
    return { server, repository, number, token: variable("GITHUB_TOKEN") };
}

/**
 * Posts the comment on a pull request, instead of the one from an earlier commit.
 *
 * @param change of the existing comment, which is empty if there is none
 * @throws Failure with Gitea's answer when it refuses
 */
export async function putComment(request: PullRequest, change: (existing: string) => string): Promise<void> {
    const existing = comments.parse(await call(request, "GET", `${request.number}/comments`));
    const ours = existing.find((comment) => comment.body.startsWith(marker));
    const body = change(ours?.body ?? "");
    if (ours) {
        await call(request, "PATCH", `comments/${ours.id}`, { body });
    } else {
        await call(request, "POST", `${request.number}/comments`, { body });
    }
}

/** A comment with a section about a rehearsal at its end, instead of an earlier one. */
export function withRehearsal(comment: string, section: string): string {
    const [preview = ""] = comment.split(`\n\n${rehearsalMarker}\n`);
    return `${preview || marker}\n\n${rehearsalMarker}\n${section}`;
}
