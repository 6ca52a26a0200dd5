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
     * @param server its address: scheme, host and port, and the path of a Gitea that is not at the top
     * @param reached the address that leads there from here, if that is another one
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
        const response = await fetch(`${this.reached}/api/v1${path}`, {
            method,
            headers: { authorization: this.#authorization, "content-type": "application/json" },
            ...(body && { body: JSON.stringify(body) }),
            signal: AbortSignal.timeout(patience.answer),
        });
        const text = await response.text();
        try {
            return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
        } catch {
            return { status: response.status, body: text };
        }
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
     * @param remedy what to do when it does not know the account
     * @throws GiteaError when it does not in time, or does not know the account
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
