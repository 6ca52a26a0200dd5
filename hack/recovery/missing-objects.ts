import { tool } from "../../toolchain/tools";
import { capture } from "../capture";
import type { Kubectl } from "../kubectl";
import { type Manifest, parseManifests } from "../manifests";
import type { KnownRelease } from "./deployment";

/** Fields of an object used here. */
type KubernetesObject = Pick<Manifest, "kind" | "metadata">;

/** Objects of a manifest, all of one namespace or of none, that do not exist. */
export function missingFrom(
    manifest: readonly KubernetesObject[],
    existing: readonly KubernetesObject[],
): KubernetesObject[] {
    const nameOf = ({ kind, metadata }: KubernetesObject) => `${kind} ${metadata.name}`;
    const names = new Set(existing.map(nameOf));
    return manifest.filter((each) => !names.has(nameOf(each)));
}

/**
 * An object with Helm's ownership label and annotations, which are not in the manifest: without them, Helm refuses to
 * manage it.
 */
export function ownedBy(
    { name, namespace }: Pick<KnownRelease, "name" | "namespace">,
    { metadata, ...object }: KubernetesObject,
): KubernetesObject {
    const owner = { "meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace };
    return {
        ...object,
        metadata: {
            ...metadata,
            labels: { ...metadata.labels, "app.kubernetes.io/managed-by": "Helm" },
            annotations: { ...metadata.annotations, ...owner },
        },
    };
}

/**
 * Recreates manually deleted objects of a Helm release, from Helm's record. Pulumi compares a release's arguments, not
 * its objects: without this, a deleted definition stays missing, and every object of its kind fails.
 *
 * @param report called with a line for each object
 */
export async function makeMissingObjects(
    kubectl: Kubectl,
    release: KnownRelease,
    report: (line: string) => void,
): Promise<void> {
    const { name, namespace } = release;
    const text = await capture(
        tool("helm4"),
        ["get", "manifest", name, "--namespace", namespace, "--kubeconfig", kubectl.kubeconfig],
        { failure: `helm cannot list the objects of ${namespace}/${name}` },
    );
    const manifest = parseManifests(text);
    // kubectl accepts the objects of one namespace at a time, together with cluster-scoped ones.
    for (const each of new Set(manifest.map(({ metadata }) => metadata.namespace ?? namespace))) {
        const from = ["--namespace", each, "--filename", "-"];
        const objects = manifest.filter(({ metadata }) => (metadata.namespace ?? namespace) === each);
        const list = (items: readonly KubernetesObject[]) => JSON.stringify({ apiVersion: "v1", kind: "List", items });
        const found = await kubectl.run(["get", ...from, "--ignore-not-found", "--output", "json"], list(objects));
        // It prints a list for several objects, the object for one, and nothing for none.
        const answer = found.trim() === "" ? { items: [] } : JSON.parse(found);
        const missing = missingFrom(objects, answer.items ?? [answer]);
        if (missing.length > 0) {
            await kubectl.run(["create", ...from], list(missing.map((object) => ownedBy(release, object))));
        }
        for (const { kind, metadata } of missing) {
            report(`Helm release ${namespace}/${name}: ${kind} ${metadata.name} was missing, and is recreated`);
        }
    }
}
