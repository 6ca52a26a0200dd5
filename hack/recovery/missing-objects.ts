import { tool } from "../../toolchain/tools";
import { capture } from "../capture";
import type { Kubectl } from "../kubectl";
import { type Manifest, parseManifests } from "../manifests";
import type { KnownRelease } from "./deployment";

/** An object, as far as it is looked at here. */
type KubernetesObject = Pick<Manifest, "kind" | "metadata">;

/** Objects of a manifest, all of one namespace or of none, that are not among those that exist. */
export function missingFrom(
    manifest: readonly KubernetesObject[],
    existing: readonly KubernetesObject[],
): KubernetesObject[] {
    const nameOf = ({ kind, metadata }: KubernetesObject) => `${kind} ${metadata.name}`;
    const names = new Set(existing.map(nameOf));
    return manifest.filter((each) => !names.has(nameOf(each)));
}

/** An object with what Helm writes on each of a release's, beside the manifest: without it, Helm takes it for another's. */
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
 * Makes again what somebody deleted by hand of a Helm release, as Helm has it in its record. Pulumi compares a release's
 * arguments, not its objects: without this, a definition that is gone stays so, and every object of its kind fails.
 *
 * @param tell takes a line for each object
 */
export async function makeMissingObjects(
    kubectl: Kubectl,
    release: KnownRelease,
    tell: (line: string) => void,
): Promise<void> {
    const { name, namespace } = release;
    const text = await capture(
        tool("helm4"),
        ["get", "manifest", name, "--namespace", namespace, "--kubeconfig", kubectl.kubeconfig],
        { failure: `helm does not know what belongs to ${namespace}/${name}` },
    );
    const manifest = parseManifests(text);
    // kubectl takes the objects of one namespace at a time, and with them what lives in none.
    for (const each of new Set(manifest.map(({ metadata }) => metadata.namespace ?? namespace))) {
        const from = ["--namespace", each, "--filename", "-"];
        const objects = manifest.filter(({ metadata }) => (metadata.namespace ?? namespace) === each);
        const list = (items: readonly KubernetesObject[]) => JSON.stringify({ apiVersion: "v1", kind: "List", items });
        const found = await kubectl.run(["get", ...from, "--ignore-not-found", "--output", "json"], list(objects));
        // Of several objects it prints a list, of one the object, and of none nothing.
        const answer = found.trim() === "" ? { items: [] } : JSON.parse(found);
        const missing = missingFrom(objects, answer.items ?? [answer]);
        if (missing.length > 0) {
            await kubectl.run(["create", ...from], list(missing.map((object) => ownedBy(release, object))));
        }
        for (const { kind, metadata } of missing) {
            tell(`Helm release ${namespace}/${name}: ${kind} ${metadata.name} was gone, and is made again`);
        }
    }
}
