import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { z } from "zod";
import { visible } from "../lib/characters";
import { homeDirectory } from "../lib/paths";
import { invalid, quoted } from "./mistakes";
import { dottedPath, looksSecret } from "./secrets";
import { readYaml, YamlError } from "./yaml";

/** A kubeconfig that cannot be used, as a message that repeats nothing of its contents. */
export class KubeconfigError extends Error {
    override readonly name = "KubeconfigError";

    constructor(message: string) {
        super(message.startsWith("invalid ") ? message : `hearth:kubeconfig: ${message}`);
    }
}

/** A kubeconfig that was checked. */
export interface Kubeconfig {
    /**
     * Absolute path, or contents where the file alone is not enough: it refers to other files, or has several contexts.
     */
    readonly value: string;
    /** URL of the API server. */
    readonly server: string;
    /** True if only this host can reach the server. */
    readonly isLoopback: boolean;
}

/** Options for reading a kubeconfig. */
export interface KubeconfigOptions {
    /** The context to use, if it has several. */
    readonly context?: string | undefined;
    /** Folder that a relative path starts from; the working directory by default. */
    readonly root?: string;
    /** Embeds all files that it refers to, so that the contents work on any host. */
    readonly flatten?: boolean;
}

const named = z.looseObject({ name: z.string() });
const list = <T extends z.ZodType>(element: T) =>
    z
        .array(element)
        .nullish()
        .transform((all) => all ?? []);
const exec = z.looseObject({ command: z.string() });
const cluster = z.looseObject({
    server: z.url({ protocol: /^https?$/ }),
    "certificate-authority": z.string().optional(),
});
const user = z.looseObject({
    "client-certificate": z.string().optional(),
    "client-key": z.string().optional(),
    tokenFile: z.string().optional(),
    exec: exec.optional(),
});

const schema = z.looseObject({
    "current-context": z.string().optional(),
    contexts: list(named.extend({ context: z.looseObject({ cluster: z.string(), user: z.string() }) })),
    clusters: list(named.extend({ cluster: cluster.nullish() })),
    users: list(named.extend({ user: user.nullish() })),
});

/** Reports whether a setting holds a kubeconfig rather than its path: more than one line, or JSON. */
export function isKubeconfigContents(given: string): boolean {
    return given.trim().includes("\n") || /^\s*\{/.test(given);
}

/** The absolute path that a setting names: `~` is the home directory. */
export function kubeconfigPath(given: string, root = process.cwd()): string {
    return resolve(root, given.trim().replace(/^~(?=\/|$)/, homeDirectory()));
}

function readContents(path: string): string {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
        throw new KubeconfigError(`${path} is not a file`);
    }
    try {
        return readFileSync(path, "utf8");
    } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        throw new KubeconfigError(
            code === "ENOENT" || code === "ENOTDIR"
                ? `the file ${path} does not exist`
                : `the file ${path} may not be read by this user (k3s writes its own for root alone: ` +
                      `sudo cat ${path} > kubeconfig.yaml, and set hearth:kubeconfig to that copy)`,
        );
    }
}

/** Joins the names of a list for a sentence. */
const inWords = (names: readonly string[]) => names.map((name) => visible(name)).join(", ");

function isOnPath(command: string, folder: string | undefined): boolean {
    const folders = (process.env["PATH"] ?? "").split(delimiter);
    const candidates = command.includes("/")
        ? [resolve(folder ?? ".", command)]
        : folders.map((each) => join(each, command));
    return candidates.some((path) => {
        try {
            accessSync(path, constants.X_OK);
            return true;
        } catch {
            return false;
        }
    });
}

/** The keys that name a file → those that hold its contents. */
const references = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
} as const;

/**
 * A cluster's or a user's entry with absolute paths, or with the files' contents.
 *
 * @param folder of the kubeconfig; undefined for contents
 */
function withFiles(entry: Readonly<Record<string, unknown>>, folder: string | undefined, flatten: boolean): object {
    const changed = Object.entries(entry).map(([key, value]): [string, unknown] => {
        const data = references[key as keyof typeof references];
        if ((data === undefined && key !== "tokenFile") || typeof value !== "string" || value === "") {
            return [key, value];
        }
        if (folder === undefined && !isAbsolute(value)) {
            throw new KubeconfigError(
                `its ${key} is a relative path, which cannot be resolved here: embed its files with ` +
                    "kubectl config view --raw --flatten --minify",
            );
        }
        const path = resolve(folder ?? "/", value);
        if (data === undefined) {
            return [key, path];
        }
        let contents: string;
        try {
            contents = readFileSync(path, "base64");
        } catch {
            throw new KubeconfigError(`its ${key} is ${path}, which cannot be read`);
        }
        return flatten || folder !== undefined ? [data, contents] : [key, path];
    });
    return Object.fromEntries(changed);
}

/**
 * Reads a kubeconfig, given by its path or its contents, as JSON or YAML, and checks everything that needs no
 * connection to the cluster.
 *
 * @throws KubeconfigError for one that cannot work
 */
export function readKubeconfig(given: string, options: KubeconfigOptions = {}): Kubeconfig {
    const { context: wanted, root, flatten = false } = options;
    const path = isKubeconfigContents(given) ? undefined : kubeconfigPath(given, root);
    // No path is that long, or has spaces like a kubeconfig without its line breaks.
    if (path !== undefined && (given.length > 1_000 || looksSecret(given) || /^(eyJ|YXBp|LS0t)/.test(given))) {
        throw new KubeconfigError(
            "it is neither a path nor the contents of a kubeconfig (decode one in base64: base64 --decode; write one in a single line " +
                "with its line breaks)",
        );
    }
    const folder = path && dirname(path);
    const text = path === undefined ? given : readContents(path);
    let document: unknown;
    try {
        document = readYaml(text, { isSecret: () => false });
    } catch (error) {
        if (error instanceof YamlError) {
            throw new KubeconfigError(`it is not valid YAML: ${error.message}`);
        }
        throw error;
    }
    const { data, error } = schema.safeParse(document);
    if (data === undefined) {
        const where = dottedPath(error.issues[0]?.path ?? []);
        const form = where.endsWith(".server") ? "a URL that begins with https://" : "the form of a kubeconfig";
        throw new KubeconfigError(
            `it does not have the contexts, clusters and users of a kubeconfig${where && `: ${where} is not ${form}`}`,
        );
    }
    const names = data.contexts.map(({ name }) => name);
    if (wanted !== undefined && !names.includes(wanted)) {
        throw new KubeconfigError(invalid("hearth:context", quoted(wanted), `one of its contexts: ${inWords(names)}`));
    }
    if (wanted === undefined && names.length > 1) {
        throw new KubeconfigError(`it has several contexts: set hearth:context to one of ${inWords(names)}`);
    }
    const context = data.contexts.find(({ name }) => name === (wanted ?? data["current-context"]));
    const cluster = data.clusters.find(({ name }) => name === context?.context.cluster)?.cluster;
    const user = data.users.find(({ name }) => name === context?.context.user);
    if (!context || !cluster || !user) {
        throw new KubeconfigError("its current context has no cluster with a server and no user of that name");
    }
    const { hostname } = new URL(cluster.server);
    if (["0.0.0.0", "[::]"].includes(hostname)) {
        throw new KubeconfigError(
            `its server is ${cluster.server}, an address to listen on: write the node's address instead`,
        );
    }
    const plugin = user.user?.exec?.command;
    if (plugin !== undefined && !isOnPath(plugin, folder)) {
        throw new KubeconfigError(`its user logs in with the program ${visible(plugin)}, which is not installed here`);
    }
    if (user.user?.["auth-provider"] !== undefined) {
        throw new KubeconfigError("its user has an auth-provider, which Kubernetes 1.26 removed: use an exec plugin");
    }
    const entries = { cluster, user: user.user ?? {} };
    const named = [...Object.keys(references), "tokenFile"].flatMap((key) =>
        Object.values(entries).flatMap((entry): string[] => Object(entry)[key] || []),
    );
    const isOther = wanted !== undefined && wanted !== data["current-context"];
    const needsFiles = flatten || path === undefined ? named.length > 0 : named.some((each) => !isAbsolute(each));
    const contents = {
        apiVersion: "v1",
        kind: "Config",
        "current-context": context.name,
        contexts: [context],
        clusters: [{ name: context.context.cluster, cluster: withFiles(entries.cluster, folder, flatten) }],
        users: [{ name: context.context.user, user: withFiles(entries.user, folder, flatten) }],
    };
    const whole = isOther || needsFiles ? `${JSON.stringify(contents, undefined, 2)}\n` : text;
    return {
        // Consumers that accept both recognize contents by their lines.
        value: path !== undefined && whole === text && !flatten ? path : whole.includes("\n") ? whole : `${whole}\n`,
        server: cluster.server,
        isLoopback: /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname),
    };
}
