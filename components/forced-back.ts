import { type ApplicationStatus, revisionOf } from "./application-status";
import { applicationResource, type KubernetesObject, loadClient, loadKubeConfig } from "./waits/cluster";

interface Application extends KubernetesObject {
    readonly status?: ApplicationStatus;
}

/** Annotation that keeps the value of {@link forcedBack} on the Applications, so that the next run has the same one. */
export const forcedBackAnnotation = "hearth/forced-back";

/** Milliseconds for the API server to answer; without an answer, there is nothing to wait for yet. */
const limit = 10_000;

/**
 * Value that changes when Argo CD has left the commit that the last run waited for: a forced push that resets a branch
 * to it changes none of this program's inputs, while the Applications are still on the commit in between.
 *
 * @param kubeconfig a path, or contents
 * @param revision full hash of the commit that every Application has to be on
 * @returns undefined when no branch was ever reset, or no cluster answers
 */
export async function forcedBack(kubeconfig: string, revision: string): Promise<string | undefined> {
    try {
        const client = await loadClient();
        const api = loadKubeConfig(client, kubeconfig).makeApiClient(client.CustomObjectsApi);
        const listed: { items: Application[] } = await Promise.race([
            api.listNamespacedCustomObject(applicationResource),
            new Promise<never>((_, reject) => setTimeout(reject, limit).unref()),
        ]);
        return lastForcedBack(listed.items, revision, new Date());
    } catch {
        return undefined;
    }
}

/** Time at which a branch was last reset: now, or as recorded by an earlier run on the Applications. */
export function lastForcedBack(applications: readonly Application[], revision: string, now: Date): string | undefined {
    return applications.some((each) => isForcedBack(each, revision))
        ? now.toISOString()
        : applications
              .flatMap(({ metadata }) => metadata?.annotations?.[forcedBackAnnotation] ?? [])
              .sort()
              .at(-1);
}

/** Reports whether the last run waited for this commit, and the Application has been compared to another one since. */
export function isForcedBack({ metadata, status }: Application, revision: string): boolean {
    const waitedFor = metadata?.annotations?.["pulumi.com/waitFor"]?.includes(revision) ?? false;
    const seen = revisionOf(status);
    return waitedFor && seen !== undefined && seen !== revision;
}
