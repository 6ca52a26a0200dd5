import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { isObject, type Properties } from "../shared/values";
import type { Connection } from "./credentials";
import { numberAt, stringAt } from "./objects";

/** The API server refused; the message is its own. */
export class ApiError extends Error {
    constructor(
        /** HTTP status. */
        readonly code: number,
        /** The Status object that it answered with. */
        readonly status: Properties,
        fallback: string,
    ) {
        super(stringAt(status, "message") || fallback);
    }

    /** Kubernetes' word for the reason, e.g. AlreadyExists. */
    get reason(): string {
        return stringAt(this.status, "reason");
    }
}

/** Whether the server said that there is no such thing. */
export function isNotFound(error: unknown): boolean {
    return error instanceof ApiError && error.code === 404;
}

/** Whether the server said that the object exists already. */
export function isAlreadyExists(error: unknown): boolean {
    return error instanceof ApiError && error.reason === "AlreadyExists";
}

/** Whether the server said that somebody else manages the field, or changed the object meanwhile. */
export function isConflict(error: unknown): boolean {
    return error instanceof ApiError && error.reason === "Conflict";
}

/** Whether the server said that the user must not. */
export function isForbidden(error: unknown): boolean {
    return error instanceof ApiError && error.reason === "Forbidden";
}

/** Whether the server said that the object is wrong. */
export function isInvalid(error: unknown): boolean {
    return error instanceof ApiError && error.reason === "Invalid";
}

/** Query parameters; undefined ones are left out. */
export type Query = Readonly<Record<string, string | undefined>>;

/** One request. */
export interface ApiRequest {
    readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
    readonly path: string;
    readonly query?: Query;
    readonly body?: Properties | readonly Properties[];
    readonly contentType?: string;
    readonly accept?: string;
    readonly signal?: AbortSignal;
}

/** A line of a watch. */
export interface WatchEvent {
    readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
    readonly object: Properties;
}

const mostRetries = 10;

/** Names a network failure as Go programs do, which is what users of Kubernetes have seen and can search for. */
function networkError(error: NodeJS.ErrnoException & { address?: string; port?: number }, method: string, url: string) {
    const verb = method[0] + method.slice(1).toLowerCase();
    const reasons: Record<string, string> = {
        ECONNREFUSED: `dial tcp ${error.address}:${error.port}: connect: connection refused`,
        EHOSTUNREACH: `dial tcp ${error.address}:${error.port}: connect: no route to host`,
        ENETUNREACH: `dial tcp ${error.address}:${error.port}: connect: network is unreachable`,
        ETIMEDOUT: `dial tcp ${error.address}:${error.port}: i/o timeout`,
        ENOTFOUND: `dial tcp: lookup ${new URL(url).hostname}: no such host`,
        ECONNRESET: "EOF",
    };
    const code = error.code ?? "";
    return new Error(`${verb} "${url}": ${reasons[code] ?? error.message}`, { cause: error });
}

async function textOf(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of response) {
        chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks).toString("utf8");
}

function parseStatus(text: string): Properties {
    try {
        const status: unknown = JSON.parse(text);
        return isObject(status as Properties) ? (status as Properties) : {};
    } catch {
        return {};
    }
}

/** A client for one API server. Connections are kept open and used again. */
export class Api {
    readonly #agent: HttpAgent;
    readonly #connection: Connection;

    constructor(connection: Connection) {
        this.#connection = connection;
        const options = { keepAlive: true, maxSockets: 256, maxFreeSockets: 64 };
        this.#agent = connection.server.startsWith("https:")
            ? new HttpsAgent({ ...options, ...connection.tls })
            : new HttpAgent(options);
    }

    /** URL of the API server. */
    get server(): string {
        return this.#connection.server;
    }

    /**
     * Sends one request. A server that is too busy is asked again after the time it names.
     *
     * @throws ApiError when the server refuses
     * @throws Error when it cannot be reached
     */
    async request(request: ApiRequest): Promise<Properties> {
        for (let attempt = 0; ; attempt++) {
            const response = await this.#send(request);
            const text = await textOf(response);
            const code = response.statusCode ?? 0;
            if (code >= 200 && code < 300) {
                return JSON.parse(text) as Properties;
            }
            const status = parseStatus(text);
            const pause = Number(response.headers["retry-after"] ?? numberAt(status, "details", "retryAfterSeconds"));
            if ((code === 429 || code >= 500) && response.headers["retry-after"] && attempt < mostRetries) {
                await delay(pause * 1000, undefined, request.signal ? { signal: request.signal } : {});
                continue;
            }
            throw new ApiError(code, status, text.trim() || `the server answered with HTTP status ${code}`);
        }
    }

    /** Follows a collection until the server or the signal ends it. */
    async *watch(path: string, query: Query, signal: AbortSignal): AsyncGenerator<WatchEvent> {
        const response = await this.#send({ method: "GET", path, query: { ...query, watch: "true" }, signal });
        if (response.statusCode !== 200) {
            const text = await textOf(response);
            throw new ApiError(response.statusCode ?? 0, parseStatus(text), text);
        }
        for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
            yield JSON.parse(line) as WatchEvent;
        }
    }

    async #send(request: ApiRequest, retried = false): Promise<IncomingMessage> {
        const query = Object.entries(request.query ?? {}).flatMap(([key, value]) =>
            value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`],
        );
        const url = `${this.server}${request.path}${query.length > 0 ? `?${query.join("&")}` : ""}`;
        const authorization = await this.#connection.authorization();
        const body = request.body === undefined ? undefined : JSON.stringify(request.body);
        const send = url.startsWith("https:") ? httpsRequest : httpRequest;
        return new Promise((resolve, reject) => {
            const outgoing = send(
                url,
                {
                    method: request.method,
                    agent: this.#agent,
                    ...(request.signal ? { signal: request.signal } : {}),
                    headers: {
                        accept: request.accept ?? "application/json",
                        "user-agent": "pulumi-kubernetes",
                        ...(authorization ? { authorization } : {}),
                        ...(body === undefined
                            ? {}
                            : {
                                  "content-type": request.contentType ?? "application/json",
                                  "content-length": Buffer.byteLength(body),
                              }),
                    },
                },
                resolve,
            );
            outgoing.on("error", (error: NodeJS.ErrnoException) => {
                // The server may close an idle connection at the very moment that it is used again.
                if (error.code === "ECONNRESET" && outgoing.reusedSocket && !retried) {
                    this.#send(request, true).then(resolve, reject);
                } else {
                    reject(error.name === "AbortError" ? error : networkError(error, request.method, url));
                }
            });
            outgoing.end(body);
        });
    }
}
