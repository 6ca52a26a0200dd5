/** An object of Kubernetes, as far as Argo CD's mark names it. */
interface Tracked {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly namespace?: string };
}

/**
 * The mark by which Argo CD knows what an Application has: the annotation of the tracking method `annotation`.
 * https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
 *
 * @param application its name
 * @param namespace of an object that names none
 */
export function trackingAnnotation(
    application: string,
    { apiVersion, kind, metadata }: Tracked,
    namespace: string,
): Record<string, string> {
    const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
    const id = `${application}:${group}/${kind}:${metadata.namespace ?? namespace}/${metadata.name}`;
    return { "argocd.argoproj.io/tracking-id": id };
}
