import { Agent, type RequestOptions, request } from "node:https";
import type { KubeConfig, V1ObjectMeta } from "./kubernetes-types";

/** What every object of the API has. */
export interface KubeObject {
    readonly apiVersion?: string;
    readonly kind?: string;
    readonly metadata?: V1ObjectMeta;
}

/** A kind of object, and where the API server keeps it. The type parameter is the form of one object. */
export interface Resource<T extends KubeObject = KubeObject> {
    readonly apiVersion: string;
    readonly kind: string;
    readonly plural: string;
    /** Never there: ties the type of the objects to the resource. */
    readonly object?: T;
}

/** The API server refused a request. */
export class ApiError extends Error {
    /** @param status of HTTP */
    constructor(
        readonly status: number,
        message: string,
    ) {
        super(message);
    }
}

/** Whether an error is the API server's refusal with one of these HTTP statuses. */
export function isRefusal(error: unknown, ...statuses: number[]): boolean {
    return error instanceof ApiError && statuses.includes(error.status);
}

/** The name of the field manager. */
const manager = "hearth-sandbox";

/** Milliseconds for the API server to answer. */
const limit = 30_000;

/** The path of a collection, or of an object or subresource in it. */
export function pathOf(resource: Resource, namespace?: string, ...rest: string[]): string {
    const root = resource.apiVersion.includes("/") ? "apis" : "api";
    const scope = namespace ? ["namespaces", namespace] : [];
    return `/${[root, resource.apiVersion, ...scope, resource.plural, ...rest.map(encodeURIComponent)].join("/")}`;
}

/** Requests to the API server, with the kubeconfig's credentials. */
export class Api {
    readonly #agent: Agent;
    readonly #server: string;

    private constructor(server: string, { ca, cert, key }: RequestOptions) {
        this.#agent = new Agent({ keepAlive: true, maxSockets: 8, ca, cert, key });
        this.#server = server;
    }

    /** @throws Error when the kubeconfig names no cluster */
    static async connect(kubeConfig: KubeConfig): Promise<Api> {
        const cluster = kubeConfig.getCurrentCluster();
        if (!cluster) {
            throw new Error("the kubeconfig names no cluster");
        }
        const options: RequestOptions = {};
        await kubeConfig.applyToHTTPSOptions(options);
        return new Api(cluster.server, options);
    }

    /** Ends all connections. */
    close(): void {
        this.#agent.destroy();
    }

    /** All objects of a resource, and the version from which to watch on. */
    async list<T extends KubeObject>(resource: Resource<T>): Promise<{ items: T[]; version: string }> {
        const list = await this.#call<{ items: T[]; metadata: { resourceVersion: string } }>("GET", pathOf(resource));
        return { items: list.items, version: list.metadata.resourceVersion };
    }

    /** Creates an object. */
    create<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T> {
        const { apiVersion, kind } = resource;
        const path = pathOf(resource, object.metadata?.namespace);
        return this.#call("POST", `${path}?fieldManager=${manager}`, { ...object, apiVersion, kind });
    }

    /** Changes an object, or its status, by a merge patch. */
    patch<T extends KubeObject>(
        resource: Resource<T>,
        { metadata }: KubeObject,
        patch: object,
        subresource?: "status",
    ): Promise<T> {
        const path = pathOf(resource, metadata?.namespace, metadata?.name ?? "", ...(subresource ? [subresource] : []));
        return this.#call("PATCH", `${path}?fieldManager=${manager}`, patch, "application/merge-patch+json");
    }

    /** Creates or changes an object by server-side apply: what others wrote to it stays. */
    apply<T extends KubeObject>(resource: Resource<T>, object: KubeObject): Promise<T> {
        const { apiVersion, kind } = resource;
        const path = pathOf(resource, object.metadata?.namespace, object.metadata?.name ?? "");
        return this.#call(
            "PATCH",
            `${path}?fieldManager=${manager}&force=true`,
            { ...object, apiVersion, kind },
            "application/apply-patch+yaml",
        );
    }

    /** Deletes an object, unless another has its name by now. */
    async delete(resource: Resource, { metadata }: KubeObject): Promise<void> {
        const preconditions = { uid: metadata?.uid };
        await this.#call("DELETE", pathOf(resource, metadata?.namespace, metadata?.name ?? ""), { preconditions });
    }

    #call<R>(method: string, path: string, body?: object, type = "application/json"): Promise<R> {
        const content = body === undefined ? "" : JSON.stringify(body);
        // Node would send the body of a DELETE without its length: the API server would take it for the next request.
        const headers = { "content-type": type, "content-length": Buffer.byteLength(content) };
        return new Promise((resolve, reject) => {
            const call = request(
                new URL(path, this.#server),
                { method, agent: this.#agent, timeout: limit, headers },
                (response) => {
                    const chunks: Buffer[] = [];
                    response.on("data", (chunk: Buffer) => chunks.push(chunk));
                    response.on("error", reject);
                    response.on("end", () => {
                        const text = Buffer.concat(chunks).toString();
                        const status = response.statusCode ?? 500;
                        if (status < 300) {
                            resolve(JSON.parse(text));
                        } else {
                            reject(new ApiError(status, text.startsWith("{") ? JSON.parse(text).message : text));
                        }
                    });
                },
            );
            call.on("timeout", () => call.destroy(new Error(`the API server did not answer for ${limit / 1000} s`)));
            call.on("error", reject);
            call.end(content);
        });
    }
}
