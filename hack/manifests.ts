import { parseAllDocuments } from "yaml";
import type { Application } from "../components/applications";

/** An object of Kubernetes, as far as the verbs look into it. */
export interface Manifest {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: {
        readonly name: string;
        readonly namespace?: string;
        readonly labels?: Readonly<Record<string, string>>;
        readonly annotations?: Readonly<Record<string, string>>;
    };
}

/**
 * kubectl's options for applying as Argo CD does: what the object no longer says goes from the cluster too, and the next
 * sync finds nobody else's fields.
 */
export const asArgoCD = ["--server-side", "--force-conflicts", "--field-manager", "argocd-controller"];

/** The objects in a stream of YAML documents. */
export function parseManifests(text: string): Manifest[] {
    return parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
}

/** Objects as kubectl reads them from its standard input. */
export function asStream(manifests: readonly Manifest[]): string {
    return manifests.map((each) => JSON.stringify(each)).join("\n");
}

/** Whether Argo CD runs an object at a moment of its sync rather than keeping it: a hook of its own or of Helm. */
export function isHook({ metadata: { annotations = {} } }: Manifest): boolean {
    return "argocd.argoproj.io/hook" in annotations || "helm.sh/hook" in annotations;
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
