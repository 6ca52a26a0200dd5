import { setTimeout as delay } from "node:timers/promises";
import type { Properties } from "../shared/values";
import { type Api, ApiError } from "./api";
import { listAt, nameOf, stringAt } from "./objects";

/** A change of an object; objects that were there before arrive as added. */
export interface ObjectEvent {
    readonly type: "ADDED" | "MODIFIED" | "DELETED";
    readonly object: Properties;
}

/** Takes changes. */
export type Listener = (event: ObjectEvent) => void;

/** Milliseconds before a watch that ended in an error is tried again. */
const pauseAfterError = 250;

/** Follows one collection for whoever listens. */
class Informer {
    readonly #api: Api;
    readonly #path: string;
    readonly #listeners = new Set<Listener>();
    readonly #objects = new Map<string, Properties>();
    readonly #abort = new AbortController();
    /** How far the collection has been followed; "" before the first list. */
    #version = "";

    constructor(api: Api, path: string) {
        this.#api = api;
        this.#path = path;
    }

    get idle(): boolean {
        return this.#listeners.size === 0;
    }

    add(listener: Listener): void {
        this.#listeners.add(listener);
        for (const object of this.#objects.values()) {
            listener({ type: "ADDED", object });
        }
    }

    remove(listener: Listener): void {
        this.#listeners.delete(listener);
    }

    stop(): void {
        this.#abort.abort();
    }

    async run(): Promise<void> {
        while (!this.#abort.signal.aborted) {
            try {
                await (this.#version === "" ? this.#list() : this.#watch());
            } catch (error) {
                if (error instanceof ApiError && error.code === 410) {
                    this.#version = "";
                }
                await delay(pauseAfterError, undefined, { signal: this.#abort.signal }).catch(() => {});
            }
        }
    }

    async #list(): Promise<void> {
        const list = await this.#api.request({ method: "GET", path: this.#path, signal: this.#abort.signal });
        const gone = new Map(this.#objects);
        // Items of a list do not say what they are; the list does.
        const shared = {
            apiVersion: stringAt(list, "apiVersion"),
            kind: stringAt(list, "kind").replace(/List$/, ""),
        };
        for (const item of listAt(list, "items")) {
            const object = { ...shared, ...(item as Properties) };
            gone.delete(nameOf(object));
            this.#tell({ type: "ADDED", object });
        }
        for (const object of gone.values()) {
            this.#tell({ type: "DELETED", object });
        }
        this.#version = stringAt(list, "metadata", "resourceVersion");
    }

    async #watch(): Promise<void> {
        const query = { resourceVersion: this.#version, allowWatchBookmarks: "true" };
        for await (const { type, object } of this.#api.watch(this.#path, query, this.#abort.signal)) {
            if (type === "ERROR") {
                throw new ApiError(Number(object["code"] ?? 0), object, "the watch ended in an error");
            }
            this.#version = stringAt(object, "metadata", "resourceVersion");
            if (type !== "BOOKMARK") {
                this.#tell({ type, object });
            }
        }
    }

    #tell(event: ObjectEvent): void {
        if (event.type === "DELETED") {
            this.#objects.delete(nameOf(event.object));
        } else {
            this.#objects.set(nameOf(event.object), event.object);
        }
        for (const listener of [...this.#listeners]) {
            listener(event);
        }
    }
}

/** Follows collections: one watch for each, however many wait for something in it. */
export class Informers {
    readonly #api: Api;
    readonly #informers = new Map<string, Informer>();

    constructor(api: Api) {
        this.#api = api;
    }

    /**
     * Tells a listener of every object in a collection, and of each change, until the returned function is called.
     *
     * @param path path of the collection
     */
    subscribe(path: string, listener: Listener): () => void {
        let informer = this.#informers.get(path);
        if (!informer) {
            informer = new Informer(this.#api, path);
            this.#informers.set(path, informer);
            void informer.run();
        }
        const subscribed = informer;
        subscribed.add(listener);
        return () => {
            subscribed.remove(listener);
            if (subscribed.idle && this.#informers.get(path) === subscribed) {
                subscribed.stop();
                this.#informers.delete(path);
            }
        };
    }
}
