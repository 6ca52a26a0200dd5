import { randomUUID } from "node:crypto";
import { type ApplicationStatus, revisionOf } from "./application-status";
import { type KubernetesObject, loadClient, loadKubeConfig } from "./waits/cluster";

interface Application extends KubernetesObject {
    readonly status?: ApplicationStatus;
}

/** Milliseconds for the API server to answer; a cluster that does not has nothing to wait for yet. */
const limit = 10_000;

/**
 * Whether Argo CD has left the commit that the last run waited for: a branch that was put back to it by a forced push
 * changes none of this program's inputs, while the Applications are still on the commit in between.
 *
 * @param kubeconfig a path, or contents
 * @param revision full hash of the commit that every Application has to be on
 * @returns a value that makes the gates wait again; undefined when there is no need, or no cluster to ask
 */
export async function forcedBack(kubeconfig: string, revision: string): Promise<string | undefined> {
    try {
        const client = await loadClient();
        const api = loadKubeConfig(client, kubeconfig).makeApiClient(client.CustomObjectsApi);
        const resource = { group: "argoproj.io", version: "v1alpha1", namespace: "argocd", plural: "applications" };
        const listed: { items: Application[] } = await Promise.race([
            api.listNamespacedCustomObject(resource),
            new Promise<never>((_, reject) => setTimeout(reject, limit).unref()),
        ]);
        return listed.items.some((each) => isForcedBack(each, revision)) ? randomUUID() : undefined;
    } catch {
        return undefined;
    }
}

/** Whether the last run waited for this commit, and the Application has been compared to another one since. */
export function isForcedBack({ metadata, status }: Application, revision: string): boolean {
    const waitedFor = metadata?.annotations?.["pulumi.com/waitFor"]?.includes(revision) ?? false;
    const seen = revisionOf(status);
    return waitedFor && seen !== undefined && seen !== revision;
}
