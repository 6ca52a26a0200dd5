import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { isObject, type Properties, type Value } from "../shared/values";
import { listAt, stringAt } from "./objects";

/** A kubeconfig, read. */
export interface Kubeconfig {
    /** Its contents. */
    readonly document: Properties;
    /** Folder that relative paths in it start from. */
    readonly directory: string;
    /** The file, when it came from one. */
    readonly file?: string;
}

/** What the provider's configuration says over the kubeconfig's own. */
export interface Overrides {
    readonly context: string;
    readonly cluster: string;
    readonly namespace: string;
}

/** The cluster, user and namespace that a kubeconfig chooses. */
export interface ActiveContext {
    readonly cluster: Properties;
    readonly user: Properties;
    readonly namespace: string;
}

function jsonTypeError(found: string): Error {
    return new Error(
        `couldn't get version/kind; json parse error: json: cannot unmarshal ${found} into Go value of type ` +
            'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }',
    );
}

function parseDocument(contents: string): Properties {
    let document: unknown;
    try {
        document = parse(contents);
    } catch (error) {
        throw new Error(`couldn't get version/kind; json parse error: error converting YAML to JSON: ${error}`);
    }
    if (document === null || document === undefined) {
        return {};
    }
    if (!isObject(document as Value)) {
        throw jsonTypeError(Array.isArray(document) ? "array" : typeof document);
    }
    return document as Properties;
}

/**
 * Reads the provider's kubeconfig argument: a path, or the contents.
 *
 * @throws Error when it is neither
 */
export function readKubeconfig(pathOrContents: string): Kubeconfig {
    const path = pathOrContents.replace(/^~(?=$|\/)/, homedir());
    if (path.length < 4096 && !path.includes("\n") && existsSync(path)) {
        return {
            document: parseDocument(readFileSync(path, "utf8")),
            directory: dirname(resolve(path)),
            file: resolve(path),
        };
    }
    return { document: parseDocument(pathOrContents), directory: process.cwd() };
}

/** The kubeconfig of the environment: the files in KUBECONFIG, or ~/.kube/config; the first to say something wins. */
export function ambientKubeconfig(): Kubeconfig {
    const variable = process.env["KUBECONFIG"];
    const files = variable ? variable.split(":").filter(Boolean) : [join(homedir(), ".kube", "config")];
    const found = files.filter((file) => existsSync(file));
    const documents = found.map((file) => parseDocument(readFileSync(file, "utf8")));
    const first = found[0];
    const merged = Object.fromEntries(
        ["clusters", "users", "contexts"].map((key) => [
            key,
            documents.flatMap((document) => [...listAt(document, key)]),
        ]),
    );
    const current = documents.map((document) => stringAt(document, "current-context")).find(Boolean) ?? "";
    return {
        document: { ...merged, "current-context": current },
        directory: first ? dirname(resolve(first)) : process.cwd(),
        ...(first && found.length === 1 ? { file: resolve(first) } : {}),
    };
}

function named(document: Properties, list: string, name: string, key: string): Properties | undefined {
    const entry = listAt(document, list).find((each) => stringAt(each, "name") === name);
    const value = isObject(entry) ? entry[key] : undefined;
    return isObject(entry) ? (isObject(value) ? value : {}) : undefined;
}

/**
 * The cluster, user and namespace in use.
 *
 * @throws Error when the kubeconfig does not have what it points to
 */
export function activeContext({ document }: Kubeconfig, overrides: Overrides): ActiveContext {
    const name = overrides.context || stringAt(document, "current-context");
    const context = named(document, "contexts", name, "context");
    if (overrides.context && !context) {
        throw new Error(`context "${name}" does not exist`);
    }
    if (name && !context) {
        throw new Error(
            `invalid configuration: [context was not found for specified context: ${name}, cluster has no server defined]`,
        );
    }
    const clusterName = overrides.cluster || stringAt(context, "cluster");
    const cluster = named(document, "clusters", clusterName, "cluster");
    if (!cluster || stringAt(cluster, "server") === "") {
        throw new Error(
            "invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment variable",
        );
    }
    const user = named(document, "users", stringAt(context, "user"), "user") ?? {};
    return { cluster, user, namespace: overrides.namespace || stringAt(context, "namespace") || "default" };
}
