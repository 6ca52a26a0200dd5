import type { Properties } from "../shared/values";
import { Api, type Query } from "./api";
import type { Connection } from "./credentials";
import { Discovery } from "./discovery";
import { Informers } from "./informers";
import { type GroupVersionKind, gvkOf, namespaceOf } from "./objects";

/** Objects of one kind in one namespace, or of the whole cluster. */
export class ResourceClient {
    readonly #api: Api;
    /** Path of the collection. */
    readonly path: string;

    constructor(api: Api, path: string) {
        this.#api = api;
        this.path = path;
    }

    /** The live object. */
    get(name: string, signal?: AbortSignal): Promise<Properties> {
        return this.#api.request({ method: "GET", path: this.#one(name), ...(signal ? { signal } : {}) });
    }

    /** All objects. */
    list(): Promise<Properties> {
        return this.#api.request({ method: "GET", path: this.path });
    }

    /** Creates an object. */
    create(body: Properties, query: Query): Promise<Properties> {
        return this.#api.request({ method: "POST", path: this.path, query, body });
    }

    /** Replaces an object. */
    replace(name: string, body: Properties, query: Query): Promise<Properties> {
        return this.#api.request({ method: "PUT", path: this.#one(name), query, body });
    }

    /** Server-side apply. */
    apply(name: string, body: Properties, query: Query): Promise<Properties> {
        const contentType = "application/apply-patch+yaml";
        return this.#api.request({ method: "PATCH", path: this.#one(name), query, body, contentType });
    }

    /** Changes an object by a list of JSON Patch operations. */
    patch(name: string, body: readonly Properties[]): Promise<Properties> {
        const contentType = "application/json-patch+json";
        return this.#api.request({ method: "PATCH", path: this.#one(name), body, contentType });
    }

    /** Changes an object by a JSON merge patch. */
    merge(name: string, body: Properties, query: Query): Promise<Properties> {
        const contentType = "application/merge-patch+json";
        return this.#api.request({ method: "PATCH", path: this.#one(name), query, body, contentType });
    }

    /** Deletes an object; its finalizers may keep it a while. */
    delete(name: string, propagationPolicy: string): Promise<Properties> {
        const body = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy };
        return this.#api.request({ method: "DELETE", path: this.#one(name), body });
    }

    #one(name: string): string {
        return `${this.path}/${encodeURIComponent(name)}`;
    }
}

/** A cluster that can be reached. */
export class Cluster {
    readonly api: Api;
    readonly discovery: Discovery;
    readonly informers: Informers;

    constructor(connection: Connection) {
        this.api = new Api(connection);
        this.discovery = new Discovery(this.api);
        this.informers = new Informers(this.api);
    }

    /**
     * A client for the objects of a kind.
     *
     * @throws NoMatchError when the API server does not have it
     */
    async resources(gvk: GroupVersionKind, namespace: string): Promise<ResourceClient> {
        const { base, resource, namespaced } = await this.discovery.mapping(gvk);
        const path = namespaced ? `${base}/namespaces/${namespace || "default"}/${resource}` : `${base}/${resource}`;
        return new ResourceClient(this.api, path);
    }

    /** {@link resources} of the kind and namespace of an object. */
    resourcesOf(object: Properties): Promise<ResourceClient> {
        return this.resources(gvkOf(object), namespaceOf(object));
    }
}
