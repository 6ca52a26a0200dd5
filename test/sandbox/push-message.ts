import { createHmac } from "node:crypto";
import type { GiteaAccess } from "./home";

/** Sends Argo CD what Gitea sends it after a push of main, with a signature by the key. */
export async function sendPushMessage(
    { url, webhook }: Pick<GiteaAccess, "url" | "webhook">,
    key: string,
    commits: readonly object[] = [],
): Promise<Response> {
    const payload = JSON.stringify({
        ref: "refs/heads/main",
        commits,
        repository: { html_url: url.replace(/\.git$/, ""), default_branch: "main" },
    });
    return fetch(webhook, {
        method: "POST",
        headers: {
            "content-type": "application/json",
            "x-gogs-event": "push",
            "x-gogs-signature": createHmac("sha256", key).update(payload).digest("hex"),
        },
        body: payload,
    });
}
