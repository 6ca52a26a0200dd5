import { loadClient, loadKubeConfig, readInput, type WaitInput } from "./cluster";

/** Input of this wait. */
interface Input extends WaitInput {
    /** Names of a release's objects by kind, in Pulumi's form: `StatefulSet.apps/apps/v1` → `namespace/name`. */
    readonly objects: Readonly<Record<string, readonly string[]>>;
}

/** An entry of `metadata.managedFields`. */
export interface ManagedFields {
    readonly manager?: string;
    readonly operation?: string;
    readonly subresource?: string;
    readonly fieldsV1?: object;
}

/** Field managers of Helm: the command, and the one in Pulumi's plugin. */
const helm = ["helm", "pulumi-resource-kubernetes"];

/** Field manager of Argo CD. */
const argocd = "argocd-controller";

/**
 * An object's fields with Argo CD as their manager instead of Helm: a field with two managers stays when one of them
 * gives it up, so that a field removed by a commit would stay forever. Helm keeps the metadata, by which it knows its
 * objects. https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
 *
 * @returns undefined when Argo CD manages fields of the object already
 */
export function ownedByArgocd(entries: readonly ManagedFields[]): ManagedFields[] | undefined {
    if (entries.some(({ manager }) => manager === argocd)) {
        return undefined;
    }
    return entries.flatMap((entry) => {
        if (!helm.includes(entry.manager ?? "") || entry.operation !== "Update" || entry.subresource !== undefined) {
            return [entry];
        }
        const { "f:metadata": metadata, ...fields } = { "f:metadata": {}, ...entry.fieldsV1 };
        return [
            { ...entry, fieldsV1: { "f:metadata": metadata } },
            { ...entry, manager: argocd, operation: "Apply", fieldsV1: fields },
        ];
    });
}

/** Fields by which the API server finds an object. */
interface Reference {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** References to the objects. */
function referencesTo(objects: Input["objects"]): Reference[] {
    return Object.entries(objects).flatMap(([key, names]) => {
        const [kind = "", ...version] = key.split("/");
        return names.map((each) => {
            const [name = "", namespace] = each.split("/").reverse();
            const metadata = { name, ...(namespace !== undefined && { namespace }) };
            return { apiVersion: version.join("/"), kind: kind.split(".", 1)[0] ?? "", metadata };
        });
    });
}

/** Transfers the ownership of a Helm release's objects to Argo CD. */
export async function transferOwnership(): Promise<void> {
    const { kubeconfig, limit, objects } = await readInput<Input>();
    const end = Date.now() + limit * 1_000;
    const client = loadClient();
    const api = loadKubeConfig(client, kubeconfig).makeApiClient(client.KubernetesObjectApi);
    const transfer = async (object: Reference): Promise<void> => {
        const { apiVersion, kind, metadata } = await api.read(object);
        const managedFields = ownedByArgocd(metadata?.managedFields ?? []);
        if (managedFields === undefined) {
            return;
        }
        const { name, namespace, resourceVersion } = metadata ?? {};
        const patch = { apiVersion, kind, metadata: { name, namespace, resourceVersion, managedFields } };
        try {
            await api.patch(patch, undefined, undefined, undefined, undefined, client.PatchStrategy.MergePatch);
        } catch (error) {
            // A controller updated the object's status in between, so its resource version has changed.
            if (Object(error).code !== 409 || Date.now() > end) {
                throw error;
            }
            await transfer(object);
        }
    };
    await Promise.all(referencesTo(objects).map(transfer));
}
