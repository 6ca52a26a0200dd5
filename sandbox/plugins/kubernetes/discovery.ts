import type { Properties } from "../shared/values";
import type { Api } from "./api";
import { formatApiVersion, type GroupVersionKind, listAt, stringAt } from "./objects";

/** Where objects of a kind are found. */
export interface Mapping {
    /** Path of the API group and version. */
    readonly base: string;
    /** The plural name, e.g. deployments. */
    readonly resource: string;
    readonly namespaced: boolean;
}

/** The API server does not have the kind. */
export class NoMatchError extends Error {
    constructor({ group, version, kind }: GroupVersionKind) {
        super(`no matches for kind "${kind}" in version "${formatApiVersion(group, version)}"`);
    }
}

const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

function keyOf({ group, version, kind }: GroupVersionKind): string {
    return `${group}/${version}/${kind}`;
}

function addMappings(mappings: Map<string, Mapping>, list: Properties): void {
    for (const group of listAt(list, "items")) {
        const name = stringAt(group, "metadata", "name");
        for (const version of listAt(group, "versions")) {
            const number = stringAt(version, "version");
            const base = name === "" ? `/api/${number}` : `/apis/${name}/${number}`;
            for (const resource of listAt(version, "resources")) {
                mappings.set(
                    keyOf({ group: name, version: number, kind: stringAt(resource, "responseKind", "kind") }),
                    {
                        base,
                        resource: stringAt(resource, "resource"),
                        namespaced: stringAt(resource, "scope") === "Namespaced",
                    },
                );
            }
        }
    }
}

/** What the API server offers. Kept in memory, and asked again only about a kind that is not known yet. */
export class Discovery {
    readonly #api: Api;
    #mappings = new Map<string, Mapping>();
    #loading: Promise<void> | undefined;

    constructor(api: Api) {
        this.#api = api;
    }

    /**
     * Asks the API server what it offers. Calls at the same time share one answer.
     *
     * @throws Error when it cannot be reached
     */
    load(): Promise<void> {
        this.#loading ??= this.#fetch().finally(() => {
            this.#loading = undefined;
        });
        return this.#loading;
    }

    async #fetch(): Promise<void> {
        const lists = await Promise.all(
            ["/api", "/apis"].map((path) => this.#api.request({ method: "GET", path, accept: aggregated })),
        );
        const mappings = new Map<string, Mapping>();
        for (const list of lists) {
            addMappings(mappings, list);
        }
        this.#mappings = mappings;
    }

    /**
     * Where objects of a kind are found; a kind that is not known is asked for again.
     *
     * @throws NoMatchError when the API server does not have it
     */
    async mapping(gvk: GroupVersionKind): Promise<Mapping> {
        const known = this.#mappings.get(keyOf(gvk));
        if (known) {
            return known;
        }
        await this.load();
        const found = this.#mappings.get(keyOf(gvk));
        if (!found) {
            throw new NoMatchError(gvk);
        }
        return found;
    }

    /** Whether the API server has the kind. */
    async has(gvk: GroupVersionKind): Promise<boolean> {
        try {
            await this.mapping(gvk);
            return true;
        } catch {
            return false;
        }
    }

    /** Whether objects of a kind live in a namespace; undefined when the API server does not have the kind. */
    async isNamespaced(gvk: GroupVersionKind): Promise<boolean | undefined> {
        try {
            return (await this.mapping(gvk)).namespaced;
        } catch {
            return undefined;
        }
    }
}
