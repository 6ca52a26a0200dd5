import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../lib/failure";
import type { Application } from "./applications";
import type { ClusterFacts } from "./cluster";
import { readYamlFile } from "./yaml-file";

/** StorageClasses that the program creates or adopts: they need not exist before its first run. */
const ownStorageClasses = ["local-path", "media", "nfs"];

/** Namespaces that the program creates in addition to those of the charts. */
const ownNamespaces = ["argocd", "metallb-system"];

/** A reference in a chart's values to an object that must exist in the cluster. */
interface Named {
    /** Keys that lead to it. */
    readonly path: readonly string[];
    readonly kind: "storageClasses" | "nodes" | "devices" | "namespaces";
    readonly name: string;
}

const kindOf = (path: readonly string[], value: unknown): Named["kind"] | undefined => {
    const [parent, key] = [path.at(-2) ?? "", path.at(-1) ?? ""];
    if (value === "" || value === null) {
        return undefined;
    }
    if ((parent === "claim" && key === "class") || key === "claimClass" || key === "storageClass") {
        return "storageClasses";
    }
    if (parent === "nodeSelector" && key === "kubernetes.io/hostname") {
        return "nodes";
    }
    if (key === "namespace" && (path.at(-3) === "from" || path.at(-3) === "to")) {
        return "namespaces";
    }
    const isDevice = (parent === "limits" || parent === "requests") && key.includes("/");
    return isDevice || (parent === "transcoding" && key === "device") ? "devices" : undefined;
};

function namedIn(value: unknown, path: readonly string[] = []): Named[] {
    const kind = kindOf(path, value);
    if (kind !== undefined) {
        // The key is the device's name; the value is a number.
        return [{ path, kind, name: String(typeof value === "number" ? path.at(-1) : value) }];
    }
    return typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, each]) => namedIn(each, [...path, key]))
        : [];
}

const words = {
    storageClasses: { what: "StorageClass", others: "StorageClasses" },
    nodes: { what: "node", others: "nodes" },
    devices: { what: "device", others: "devices" },
    namespaces: { what: "namespace", others: "namespaces" },
} as const;

/**
 * References in values to objects that are missing in the cluster.
 *
 * @param where the values are, for the message
 */
export function missingNames(
    where: string,
    values: unknown,
    facts: Pick<ClusterFacts, "devices" | "nodes" | "namespaces" | "storageClasses">,
): string[] {
    const known = { ...facts, storageClasses: [...new Set([...facts.storageClasses, ...ownStorageClasses])].sort() };
    return namedIn(values)
        .filter(({ kind, name }) => !known[kind].includes(name))
        .map(({ path, kind, name }) => {
            const { what, others } = words[kind];
            const there = known[kind].join(", ") || "none";
            return `${where}: ${path.join(".")}: "${name}" is not a ${what} of this cluster; ${others}: ${there}`;
        });
}

/**
 * Names in the values of an Application that do not exist in the cluster: pods that request them stay Pending.
 *
 * @param root the repository's top folder
 */
export function missingIn(root: string, { name, manifest }: Application, facts: ClusterFacts): string[] {
    const file = `charts/${name}/values.yaml`;
    // A chart's namespace has the chart's name, even if this home does not run it.
    const namespaces = [
        ...new Set([...facts.namespaces, ...readdirSync(join(root, "charts")), ...ownNamespaces]),
    ].sort();
    const known = { ...facts, namespaces };
    return [
        ...missingNames(file, readYamlFile(join(root, file)).document, known),
        ...missingNames(`Application ${name}`, manifest.spec.sources[0].helm?.valuesObject, known),
    ];
}

/** Reports whether a chart's values, merged with the Application's own, share media. */
function sharesMedia(values: unknown, own: unknown): boolean {
    if (typeof values !== "object" || values === null || own === null || Object(own).enabled === false) {
        return false;
    }
    return Object.entries(values).some(
        ([key, each]) => (key === "media" && each === true) || sharesMedia(each, Object(own)[key]),
    );
}

/**
 * Rejects services that share media on an export that the home does not have.
 *
 * @param root the repository's top folder
 * @param nfs the export
 * @throws Failure that names them
 */
export function checkMedia(root: string, applications: readonly Application[], nfs: object | undefined): void {
    const sharing = applications.filter(({ name, manifest }) => {
        const { document } = readYamlFile(join(root, `charts/${name}/values.yaml`));
        return sharesMedia(document, manifest.spec.sources[0].helm?.valuesObject);
    });
    if (nfs === undefined && sharing.length > 0) {
        throw new Failure(
            `set hearth:nfs: ${sharing.map(({ name }) => name).join(", ")} share media on an export. A home of one ` +
                "machine exports a folder of its own (docs/storage.md). Or remove these services from clusters/.",
        );
    }
}
