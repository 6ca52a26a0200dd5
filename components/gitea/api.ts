import { type OutgoingHttpHeaders, request } from "node:http";
import { text as textOf } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import type { Account } from "../git";

/** Gitea's answer: the status, and the JSON of its body, or its text. */
export interface Answer {
    readonly status: number;
    readonly body: unknown;
}

/** Milliseconds for one answer, and between two looks at whether Gitea is there. */
const patience = { answer: 30_000, interval: 500 };

/** Error that Gitea reports, in words for the person who runs the program. */
export class GiteaError extends Error {}

/** Gitea's API, as one account sees it. https://docs.gitea.com/api */
export class Gitea {
    readonly #authorization: string;

    /**
     * @param server its address: scheme, host and port, and a path if Gitea is not at the top
     * @param reached the address that leads there from here, if it differs
     */
    constructor(
        readonly server: string,
        readonly account: Account,
        readonly reached: string = server,
    ) {
        this.#authorization = `Basic ${Buffer.from(`${account.name}:${account.password}`).toString("base64")}`;
    }

    /** One request; every status is an answer. */
    async ask(method: "GET" | "POST" | "PUT" | "PATCH", path: string, body?: object): Promise<Answer> {
        const url = `${this.reached}/api/v1${path}`;
        const options = {
            method,
            headers: { authorization: this.#authorization, "content-type": "application/json" },
            signal: AbortSignal.timeout(patience.answer),
        };
        const content = body && JSON.stringify(body);
        const { status, text } =
            this.reached === this.server
                ? await fetch(url, { ...options, ...(content && { body: content }) }).then(async (response) => ({
                      status: response.status,
                      text: await response.text(),
                  }))
                : await this.#throughCluster(url, options, content);
        try {
            return { status, body: text === "" ? undefined : JSON.parse(text) };
        } catch {
            return { status, body: text };
        }
    }

    /**
     * A request with the Host header of the server, which fetch does not let one set: since 1.26, Gitea names itself by it in
     * messages to webhooks (PUBLIC_URL_DETECTION).
     */
    #throughCluster(
        url: string,
        options: { method: string; headers: OutgoingHttpHeaders; signal: AbortSignal },
        body: string | undefined,
    ): Promise<{ status: number; text: string }> {
        const headers = { ...options.headers, host: new URL(this.server).host };
        return new Promise((resolve, reject) => {
            request(url, { ...options, headers }, (response) => {
                const { statusCode: status = 0 } = response;
                textOf(response).then((text) => resolve({ status, text }), reject);
            })
                .once("error", reject)
                .end(body);
        });
    }

    /** Resource at a path; undefined if it does not exist. */
    async find<T>(path: string): Promise<T | undefined> {
        const answer = await this.ask("GET", path);
        return answer.status === 404 ? undefined : (this.#checked("GET", path, answer) as T);
    }

    /** Changes something. */
    async change<T>(method: "POST" | "PUT" | "PATCH", path: string, body?: object): Promise<T> {
        return this.#checked(method, path, await this.ask(method, path, body)) as T;
    }

    #checked(method: string, path: string, { status, body }: Answer): unknown {
        if (status >= 400) {
            const message = typeof body === "object" && body && "message" in body ? body.message : body;
            const first = String(message ?? "").split("\n", 1);
            throw new GiteaError(`Gitea at ${this.server} answers ${method} ${path} with ${status}: ${first}`);
        }
        return body;
    }

    /**
     * Waits until Gitea answers for the account.
     *
     * @param limit seconds
     * @param remedy the fix when it does not know the account
     * @throws GiteaError when it does not answer in time, or does not know the account
     */
    async ready(limit: number, remedy: string): Promise<void> {
        for (const end = Date.now() + limit * 1_000; ; await delay(patience.interval)) {
            let problem: unknown;
            try {
                const { status } = await this.ask("GET", "/user");
                if (status === 200) {
                    return;
                }
                if (status === 401 || status === 403) {
                    throw new GiteaError(
                        `Gitea at ${this.server} does not let the account ${this.account.name} in. ${remedy}`,
                    );
                }
                problem = `it answers with ${status}`;
            } catch (error) {
                if (error instanceof GiteaError) {
                    throw error;
                }
                problem = error instanceof Error && error.cause instanceof Error ? error.cause.message : error;
            }
            if (Date.now() > end) {
                throw new GiteaError(`Gitea at ${this.server} is not there after ${limit} seconds: ${problem}`);
            }
        }
    }
}
