import { z } from "zod";
import type { Application } from "../components/applications";
import { readYamlStream, YamlError } from "../config/yaml";
import { Failure } from "../lib/failure";

/** Fields of a Kubernetes object that the verbs read. */
export interface Manifest {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: {
        readonly name: string;
        readonly namespace?: string;
        readonly uid?: string;
        readonly finalizers?: readonly string[];
        readonly labels?: Readonly<Record<string, string>>;
        readonly annotations?: Readonly<Record<string, string>> | null;
    };
}

const schema = z.looseObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.looseObject({ name: z.string(), annotations: z.looseObject({}).nullish() }),
});

/** A hook may have its name generated when it runs: its prefix is the name that is shown. */
function named(object: Manifest): Manifest {
    const { name, generateName, annotations }: { [key: string]: unknown } = Object(Object(object).metadata);
    const isUnnamedHook = name === undefined && typeof generateName === "string" && isHook(object) && annotations;
    return isUnnamedHook ? { ...object, metadata: { ...object.metadata, name: generateName } } : object;
}

/**
 * kubectl's options for applying as Argo CD does: removed fields are removed in the cluster too, and the next sync
 * finds no other field manager.
 */
export const asArgoCD = ["--server-side", "--force-conflicts", "--field-manager", "argocd-controller"];

/** The objects of a document, which may be a list of them. */
export function objectsIn(document: unknown): Manifest[] {
    const { kind, items, metadata } = Object(document);
    // An object has a name, a list of them has none.
    const isList = String(kind).endsWith("List") && metadata?.name === undefined;
    return isList && (items === null || Array.isArray(items))
        ? (items ?? []).flatMap(objectsIn)
        : [document as Manifest];
}

/**
 * The objects in a stream of YAML documents, with the values that the cluster reads.
 *
 * @throws Failure for invalid YAML, or a document that is not a Kubernetes object
 */
export function parseManifests(text: string): Manifest[] {
    try {
        const objects = readYamlStream(text, { generated: true }).flatMap(objectsIn).map(named);
        const wrong = objects.find((each) => !schema.safeParse(each).success);
        if (wrong !== undefined) {
            const { kind = "a document", metadata } = Object(wrong);
            throw new Failure(
                `the chart renders ${kind} ${metadata?.name ?? ""} without an apiVersion, a kind or a name`.replace(
                    "  ",
                    " ",
                ),
            );
        }
        return objects;
    } catch (error) {
        throw error instanceof YamlError ? new Failure(`the rendered chart: ${error.message}`) : error;
    }
}

/** Objects in the form that kubectl reads from its standard input. */
export function asStream(manifests: readonly Manifest[]): string {
    return manifests.map((each) => JSON.stringify(each)).join("\n");
}

/** Reports whether an object runs at a phase of a sync instead of being kept: a hook of Argo CD or Helm. */
export function isHook({ metadata: { annotations } }: Manifest): boolean {
    const all = annotations ?? {};
    return "argocd.argoproj.io/hook" in all || "helm.sh/hook" in all;
}

/** Objects by the namespace to apply them in: a chart may omit it, in which case Helm and Argo CD use their own. */
export function byNamespace(manifests: readonly Manifest[], namespace: string): Map<string, Manifest[]> {
    const groups = new Map<string, Manifest[]>();
    for (const manifest of manifests) {
        const key = manifest.metadata.namespace || namespace;
        groups.set(key, [...(groups.get(key) ?? []), manifest]);
    }
    return groups;
}

/**
 * An object with Argo CD's tracking annotation (tracking method `annotation`).
 * https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
 */
export function tracked({ name, namespace }: Application, manifest: Manifest): Manifest {
    const { apiVersion, kind, metadata } = manifest;
    if (kind === "CustomResourceDefinition") {
        return manifest; // Argo CD does not annotate these.
    }
    const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
    const id = `${name}:${group}/${kind}:${metadata.namespace || namespace}/${metadata.name}`;
    const annotations = { ...metadata.annotations, "argocd.argoproj.io/tracking-id": id };
    return { ...manifest, metadata: { ...metadata, annotations } };
}
