import { type OutgoingHttpHeaders, request } from "node:http";
import { text as textOf } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { shortened, visible } from "../../lib/characters";
import type { Account } from "../git";

/** Gitea's answer: the status, and the JSON of its body, or its text. */
export interface Answer {
    readonly status: number;
    readonly body: unknown;
}

/** Milliseconds for one response, and between two polls of Gitea. */
const patience = { answer: 30_000, interval: 500 };

/** Error that Gitea reports, in words for the person who runs the program. */
export class GiteaError extends Error {}

/** First line of an error that Gitea reports. */
function messageOf({ body }: Answer): string {
    const message = typeof body === "object" && body && "message" in body ? body.message : body;
    return visible(shortened(String(message ?? "").split("\n", 1)[0] ?? ""));
}

/** Permanent problems of a TLS handshake: certificates that this machine does not trust. */
const untrusted = /certificate|self-signed|CERT_|UNABLE_TO_/;

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
            // A redirect turns every request into a GET, and drops the password at another origin.
            redirect: "manual",
        } as const;
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
        options: { readonly method: string; readonly headers: OutgoingHttpHeaders; readonly signal: AbortSignal },
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

    #checked(method: string, path: string, answer: Answer): unknown {
        if (answer.status >= 300) {
            throw new GiteaError(
                `Gitea at ${this.server} answers ${method} ${path} with ${answer.status}: ${messageOf(answer)}`,
            );
        }
        return answer.body;
    }

    /** @throws GiteaError for an answer that waiting does not change: another server, or an account without the rights */
    #checkUser(answer: Answer, remedy: string): void {
        const { status, body } = answer;
        const login: unknown = Object(body).login;
        if (status >= 300 && status < 400) {
            throw new GiteaError(
                `${this.server} redirects requests: set hearth:repository.url to the address that it redirects to (https, not ` +
                    "http?), without a login page in front of it",
            );
        }
        if (status === 401 || status === 403) {
            const said = messageOf(answer);
            throw new GiteaError(
                `Gitea at ${this.server} rejects the login of the account ${this.account.name}${said && ` (${said})`}. ${remedy}`,
            );
        }
        if (status === 200 && typeof login !== "string") {
            throw new GiteaError(
                `${this.server} answers, but is not a Gitea: set hearth:repository.url to the Gitea itself, without a login page in ` +
                    "front of it, or remove hearth:gitea where it is another server",
            );
        }
        if (status === 200 && Object(body).is_admin === false) {
            throw new GiteaError(
                `The account ${this.account.name} of Gitea at ${this.server} is not an administrator: set hearth:gitea.administrator`,
            );
        }
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
                const answer = await this.ask("GET", "/user");
                this.#checkUser(answer, remedy);
                if (answer.status === 200) {
                    return;
                }
                problem = `it answers with ${answer.status}`;
            } catch (error) {
                if (error instanceof GiteaError) {
                    throw error;
                }
                problem = error instanceof Error && error.cause instanceof Error ? error.cause.message : error;
                if (untrusted.test(String(problem))) {
                    throw new GiteaError(
                        `The certificate of ${this.server} is not trusted here (${problem}): set NODE_EXTRA_CA_CERTS to the file ` +
                            "of its authority, and Git's http.sslCAInfo",
                    );
                }
            }
            if (Date.now() > end) {
                throw new GiteaError(`Gitea at ${this.server} is unreachable after ${limit} seconds: ${problem}`);
            }
        }
    }
}
