import { type ApplicationStatus, revisionOf } from "../application-status";
import { forcedBackAnnotation } from "../forced-back";
import {
    applicationResource,
    type KubernetesObject,
    loadClient,
    loadKubeConfig,
    readInput,
    type WaitInput,
} from "./cluster";

/** Input of this command. */
interface Input extends WaitInput {
    /** Names of the Applications. */
    readonly applications: readonly string[];
    /** Full hash of the commit that each has to be on. */
    readonly revision: string;
    /** Value that {@link GitSource.forcedBack} had for this run. */
    readonly forcedBack?: string;
}

/** Annotation by which Argo CD compares an Application to Git at once; it removes the annotation afterwards. */
export const refreshAnnotation = "argocd.argoproj.io/refresh";

/** Annotations to set on an Application; undefined when Argo CD has compared it to the commit, or is about to. */
function refreshAnnotations(
    { metadata, status }: KubernetesObject & { readonly status?: ApplicationStatus },
    { revision, forcedBack }: Pick<Input, "revision" | "forcedBack">,
): Record<string, string> | undefined {
    const seen = revisionOf(status);
    const annotations = {
        ...(seen !== undefined && seen !== revision && { [refreshAnnotation]: "normal" }),
        ...(forcedBack !== undefined &&
            metadata?.annotations?.[forcedBackAnnotation] !== forcedBack && { [forcedBackAnnotation]: forcedBack }),
    };
    return Object.keys(annotations).length === 0 ? undefined : annotations;
}

/** Refreshes the Applications that exist and are on another commit. Does not wait for Argo CD. */
export async function refreshApplications(): Promise<void> {
    const { kubeconfig, applications, ...commit } = await readInput<Input>();
    const client = loadClient();
    const api = loadKubeConfig(client, kubeconfig).makeApiClient(client.CustomObjectsApi);
    const mergePatch = client.setHeaderOptions("Content-Type", client.PatchStrategy.MergePatch);
    const { items }: { items: KubernetesObject[] } = await api.listNamespacedCustomObject(applicationResource);
    await Promise.all(
        items.map(async (each) => {
            const name = each.metadata?.name ?? "";
            const annotations = applications.includes(name) ? refreshAnnotations(each, commit) : undefined;
            if (annotations) {
                const body = { metadata: { annotations } };
                await api
                    .patchNamespacedCustomObject({ ...applicationResource, name, body }, mergePatch)
                    .catch((error: { code?: number }) => {
                        // Deleted since it was listed: the tier creates it.
                        if (error.code !== 404) {
                            throw error;
                        }
                    });
            }
        }),
    );
}
