import { z } from "zod";
import type { Application } from "../components/applications";
import { readYamlStream, YamlError } from "../config/yaml";
import { Failure } from "../lib/failure";

/** An object of Kubernetes, as far as the verbs look into it. */
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

/**
 * kubectl's options for applying as Argo CD does: what the object no longer says goes from the cluster too, and the next
 * sync finds nobody else's fields.
 */
export const asArgoCD = ["--server-side", "--force-conflicts", "--field-manager", "argocd-controller"];

/** The objects of a document, which may be a list of them. */
export function objectsIn(document: unknown): Manifest[] {
    const { kind, items } = Object(document);
    return String(kind).endsWith("List") && Array.isArray(items) ? items.flatMap(objectsIn) : [document as Manifest];
}

/**
 * The objects in a stream of YAML documents, with the values that the cluster reads.
 *
 * @throws Failure for what is not YAML, or no object of Kubernetes
 */
export function parseManifests(text: string): Manifest[] {
    try {
        const objects = readYamlStream(text, { generated: true }).flatMap(objectsIn);
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

/** Objects as kubectl reads them from its standard input. */
export function asStream(manifests: readonly Manifest[]): string {
    return manifests.map((each) => JSON.stringify(each)).join("\n");
}

/** Reports whether Argo CD runs an object at a moment of its sync rather than keeping it: a hook of its own or of Helm. */
export function isHook({ metadata: { annotations } }: Manifest): boolean {
    const all = annotations ?? {};
    return "argocd.argoproj.io/hook" in all || "helm.sh/hook" in all;
}

/** Objects by the namespace to apply them in: a chart may leave it out, as Helm and Argo CD put theirs in its place. */
export function byNamespace(manifests: readonly Manifest[], namespace: string): Map<string, Manifest[]> {
    const groups = new Map<string, Manifest[]>();
    for (const manifest of manifests) {
        const key = manifest.metadata.namespace ?? namespace;
        groups.set(key, [...(groups.get(key) ?? []), manifest]);
    }
    return groups;
}

/**
 * An object with the mark by which Argo CD knows its own: the annotation of the tracking method `annotation`.
 * https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
 */
export function tracked({ name, namespace }: Application, manifest: Manifest): Manifest {
    const { apiVersion, kind, metadata } = manifest;
    if (kind === "CustomResourceDefinition") {
        return manifest; // Argo CD does not mark these.
    }
    const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
    const id = `${name}:${group}/${kind}:${metadata.namespace ?? namespace}/${metadata.name}`;
    const annotations = { ...metadata.annotations, "argocd.argoproj.io/tracking-id": id };
    return { ...manifest, metadata: { ...metadata, annotations } };
}
