import { setTimeout } from "node:timers/promises";
import { type Api, ApiError, isRefusal, type KubeObject, pathOf, type Resource } from "./api";
import type { Watch } from "./kubernetes-types";

/** Milliseconds between tries to reach the API server: at first, and at most. */
const backoff = { first: 250, most: 5_000 };

const keyOf = ({ metadata }: KubeObject) => `${metadata?.namespace ?? ""}/${metadata?.name}`;

// etcd counts its revisions up, and the API promises that they can be compared.
const isNewer = (one: KubeObject, other: KubeObject) =>
    BigInt(one.metadata?.resourceVersion ?? 0) > BigInt(other.metadata?.resourceVersion ?? 0);

/** A copy of all objects of one resource that follows the API server. */
export class Store<T extends KubeObject> {
    readonly #objects = new Map<string, T>();
    readonly #listeners = new Set<() => void>();
    #synced = false;

    constructor(readonly resource: Resource<T>) {}

    /** Whether it has ever held what the API server holds; also when that serves no such resource. */
    get synced(): boolean {
        return this.#synced;
    }

    /** All objects. */
    list(): T[] {
        return [...this.#objects.values()];
    }

    /** The object of a name; the namespace is "" for what has none. */
    get(namespace: string, name: string): T | undefined {
        return this.#objects.get(`${namespace}/${name}`);
    }

    /** Calls back after each change, until what it returns is called. */
    onChange(listener: () => void): () => void {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    /** Takes an object, unless it holds a newer version. What the API server answers to a write belongs here too. */
    put(object: T): void {
        const held = this.#objects.get(keyOf(object));
        if (!held || held.metadata?.uid !== object.metadata?.uid || isNewer(object, held)) {
            this.#set(object);
            this.#tell();
        }
    }

    /** Forgets an object. */
    remove(object: KubeObject): void {
        if (this.#objects.get(keyOf(object))?.metadata?.uid === object.metadata?.uid) {
            this.#objects.delete(keyOf(object));
            this.#tell();
        }
    }

    /** Takes the whole list. */
    replace(objects: readonly T[]): void {
        this.#objects.clear();
        for (const object of objects) {
            this.#set(object);
        }
        this.#synced = true;
        this.#tell();
    }

    #set(object: T): void {
        // The objects of a list come without these.
        const { apiVersion, kind } = this.resource;
        this.#objects.set(keyOf(object), { ...object, apiVersion, kind });
    }

    #tell(): void {
        for (const listener of [...this.#listeners]) {
            listener();
        }
    }
}

/** Watches from a version on until the connection ends; returns the version to go on from, if there is one. */
async function watchOnce<T extends KubeObject>(
    watch: Watch,
    store: Store<T>,
    version: string,
    signal: AbortSignal,
): Promise<string | undefined> {
    let last: string | undefined;
    let expired = false;
    const take = (type: string, object: T) => {
        if (type === "ERROR") {
            expired = true;
            return;
        }
        last = object.metadata?.resourceVersion ?? last;
        if (type === "DELETED") {
            store.remove(object);
        } else if (type !== "BOOKMARK") {
            store.put(object);
        }
    };
    let connection: AbortController | undefined;
    const abort = () => connection?.abort();
    signal.addEventListener("abort", abort);
    try {
        await new Promise<void>((resolve, reject) => {
            // The client tells of a refusal in a form of its own.
            const fail = (error: Error & { statusCode?: number }) =>
                reject(error.statusCode === undefined ? error : new ApiError(error.statusCode, error.message));
            const query = { resourceVersion: version, allowWatchBookmarks: "true" };
            watch
                .watch(pathOf(store.resource), query, take, (error?: Error) => (error ? fail(error) : resolve()))
                .then((started) => {
                    connection = started;
                    if (signal.aborted) {
                        abort();
                    }
                }, fail);
        });
    } finally {
        signal.removeEventListener("abort", abort);
    }
    return expired ? undefined : last;
}

/** Takes what is wrong with the connection to the API server; called without a text when it is right again. */
export type Complain = (text?: string) => void;

/**
 * Fills a store and keeps it right until the signal aborts, through restarts of the API server and the coming and going
 * of the resource's definition.
 *
 * @param definitions tells when a resource may have come that the API server does not serve yet
 */
export async function reflect<T extends KubeObject>(
    api: Api,
    watch: Watch,
    store: Store<T>,
    definitions: Store<KubeObject>,
    complain: Complain,
    signal: AbortSignal,
): Promise<void> {
    const definition = `${store.resource.plural}.${store.resource.apiVersion.split("/")[0]}`;
    let wait = backoff.first;
    const pause = async () => {
        await setTimeout(wait, undefined, { signal }).catch(() => {});
        wait = Math.min(wait * 2, backoff.most);
    };
    while (!signal.aborted) {
        try {
            const { items, version } = await api.list(store.resource);
            store.replace(items);
            complain();
            let next: string | undefined = version;
            while (next !== undefined && !signal.aborted) {
                next = await watchOnce(watch, store, next, signal);
                wait = next === undefined ? wait : backoff.first;
            }
            await pause();
        } catch (error) {
            if (signal.aborted) {
                return;
            }
            if (isRefusal(error, 404) && !definitions.get("", definition)) {
                store.replace([]);
                await new Promise<void>((resolve) => {
                    const done = () => {
                        stop();
                        signal.removeEventListener("abort", done);
                        resolve();
                    };
                    const stop = definitions.onChange(done);
                    signal.addEventListener("abort", done);
                });
                wait = backoff.first;
                continue;
            }
            // A resource that comes or goes says these for a while.
            if (!isRefusal(error, 404, 410, 429)) {
                complain(error instanceof Error ? error.message : String(error));
            }
            await pause();
        }
    }
}
