import { setTimeout as delay } from "node:timers/promises";
import type { Client, KubeConfig } from "./kubernetes-types";

/** Milliseconds until a lost connection to the API server is opened again. */
const reconnect = 1_000;

/** A list of objects that follows the API server. */
export interface Followed<T> {
    list(): readonly T[];
}

/** The cluster as the controllers see it: copies of the objects that they read, and the API for their writes. */
export class Cluster {
    readonly core: InstanceType<Client["CoreV1Api"]>;
    readonly apps: InstanceType<Client["AppsV1Api"]>;
    readonly networking: InstanceType<Client["NetworkingV1Api"]>;
    readonly storage: InstanceType<Client["StorageV1Api"]>;
    /** Option of a patch that it is a JSON merge patch. */
    readonly mergePatch: ReturnType<Client["setHeaderOptions"]>;
    readonly #stops: (() => Promise<void>)[] = [];
    #closed = false;

    /** @param onChange called after each change of a followed object */
    constructor(
        readonly client: Client,
        readonly config: KubeConfig,
        readonly onChange: () => void,
    ) {
        this.core = config.makeApiClient(client.CoreV1Api);
        this.apps = config.makeApiClient(client.AppsV1Api);
        this.networking = config.makeApiClient(client.NetworkingV1Api);
        this.storage = config.makeApiClient(client.StorageV1Api);
        this.mergePatch = client.setHeaderOptions("Content-Type", client.PatchStrategy.MergePatch);
    }

    /**
     * Follows the objects of a kind.
     *
     * @param path of the list in the API
     * @param list lists them
     */
    async follow<T extends object>(path: string, list: () => Promise<{ items: T[] }>): Promise<Followed<T>> {
        const informer = this.client.makeInformer<T>(this.config, path, list);
        informer.on("change", this.onChange);
        informer.on("error", async () => {
            await delay(reconnect);
            if (!this.#closed) {
                await informer.start();
            }
        });
        this.#stops.push(() => informer.stop());
        await informer.start();
        return informer;
    }

    /** Ends all watches. */
    async close(): Promise<void> {
        this.#closed = true;
        await Promise.all(this.#stops.map((stop) => stop()));
    }
}

/** Another writer changed, created or deleted the object first: the next pass sees it. */
const isStale = (error: unknown) => [404, 409].includes(Object(error).code);

/** Waits for all steps. A failing one does not stop the others; its error is thrown at the end. */
export async function allOf(steps: readonly Promise<unknown>[]): Promise<void> {
    const outcomes = await Promise.allSettled(steps);
    for (const outcome of outcomes) {
        if (outcome.status === "rejected" && !isStale(outcome.reason)) {
            throw outcome.reason;
        }
    }
}
