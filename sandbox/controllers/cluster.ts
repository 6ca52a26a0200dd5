import { setMaxListeners } from "node:events";
import { type Api, isRefusal, type KubeObject, type Resource } from "./api";
import type { V1CustomResourceDefinition, Watch } from "./kubernetes-types";
import { resources } from "./resources";
import { reflect, Store } from "./store";

/** What is wrong, or was done, for `kubectl describe`. */
export interface Note {
    readonly type: "Normal" | "Warning";
    /** One word, as the real controller writes it. */
    readonly reason: string;
    readonly message: string;
    /** Whose event it is. */
    readonly component: string;
}

/** The cluster as the controllers see it: copies of what they read, and writes that the copies take up at once. */
export class Cluster {
    readonly #stores = new Map<string, Store<KubeObject>>();
    readonly #abort = new AbortController();
    readonly #reflectors: Promise<void>[] = [];
    readonly #definitions = new Store<V1CustomResourceDefinition>(resources.definitions);
    /** The last note on each object, so that passes that find the same say it once. */
    readonly #noted = new Map<string, string>();
    #events = 0;
    #complaint: string | undefined;

    constructor(
        readonly api: Api,
        readonly watch: Watch,
        readonly log: (line: string) => void,
    ) {
        // One listener for each resource is no leak.
        setMaxListeners(0, this.#abort.signal);
        this.#follow(this.#definitions);
    }

    #follow<T extends KubeObject>(store: Store<T>): void {
        const definitions: Store<KubeObject> = this.#definitions as unknown as Store<KubeObject>;
        // Every resource says the same when the API server is away: once is enough.
        const complain = (text?: string) => {
            if (text !== undefined && text !== this.#complaint) {
                this.log(`API server: ${text}`);
            }
            this.#complaint = text;
        };
        this.#reflectors.push(reflect(this.api, this.watch, store, definitions, complain, this.#abort.signal));
    }

    /** The copy of a resource's objects, which follows the API server from the first call on. */
    store<T extends KubeObject>(resource: Resource<T>): Store<T> {
        const key = `${resource.apiVersion}/${resource.plural}`;
        const existing = this.#stores.get(key);
        if (existing) {
            return existing as unknown as Store<T>;
        }
        const store = new Store(resource);
        this.#stores.set(key, store as unknown as Store<KubeObject>);
        this.#follow(store);
        return store;
    }

    /**
     * Creates an object; one that is there already stays as it is.
     *
     * @returns whether it was created
     */
    async create<T extends KubeObject>(resource: Resource<T>, object: T): Promise<boolean> {
        try {
            this.store(resource).put(await this.api.create(resource, object));
            return true;
        } catch (error) {
            if (isRefusal(error, 409)) {
                return false;
            }
            throw error;
        }
    }

    /** Changes an object, or its status, by a merge patch. One that is gone is no mistake. */
    async patch<T extends KubeObject>(
        resource: Resource<T>,
        object: KubeObject,
        patch: object,
        subresource?: "status",
    ): Promise<void> {
        try {
            this.store(resource).put(await this.api.patch(resource, object, patch, subresource));
        } catch (error) {
            if (!isRefusal(error, 404)) {
                throw error;
            }
        }
    }

    /** Creates or changes an object by server-side apply. */
    async apply<T extends KubeObject>(resource: Resource<T>, object: KubeObject): Promise<void> {
        this.store(resource).put(await this.api.apply(resource, object));
    }

    /** Deletes an object. One that is gone, or is another by now, is no mistake. */
    async delete(resource: Resource, object: KubeObject): Promise<void> {
        try {
            await this.api.delete(resource, object);
        } catch (error) {
            if (!isRefusal(error, 404, 409)) {
                throw error;
            }
        }
    }

    /** Writes an event about an object, unless the last one said the same. */
    async note(object: KubeObject, { type, reason, message, component }: Note): Promise<void> {
        const { name = "", namespace, uid = "", resourceVersion } = object.metadata ?? {};
        const said = `${reason} ${message}`;
        if (this.#noted.get(uid) === said) {
            return;
        }
        this.#noted.set(uid, said);
        const time = new Date().toISOString();
        const { apiVersion, kind } = object;
        const event = {
            metadata: {
                name: `${name}.${Date.now().toString(16)}${(this.#events++).toString(16)}`,
                namespace: namespace ?? "default",
            },
            involvedObject: { apiVersion, kind, name, namespace, uid, resourceVersion },
            type,
            reason,
            message,
            count: 1,
            firstTimestamp: time,
            lastTimestamp: time,
            source: { component },
        };
        try {
            await this.api.create(resources.events, event);
        } catch (error) {
            this.#noted.delete(uid);
            // A namespace that is being deleted takes no more events.
            if (!isRefusal(error, 403, 404)) {
                throw error;
            }
        }
    }

    /** Ends all watches. */
    async close(): Promise<void> {
        this.#abort.abort();
        await Promise.all(this.#reflectors);
        this.api.close();
    }
}
