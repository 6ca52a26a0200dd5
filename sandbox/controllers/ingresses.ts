import { allOf, type Cluster } from "./cluster";
import type { V1Ingress, V1IngressClass } from "./kubernetes-types";

/** Location of k3s' ingress controller, and its IngressClass. */
const traefik = { namespace: "kube-system", name: "traefik", controller: "traefik.io/ingress-controller" };

/**
 * Reports whether Traefik serves an Ingress. The API server writes the default class into an Ingress without one.
 *
 * @param classes all IngressClasses
 */
export function isServed({ metadata, spec }: V1Ingress, classes: readonly V1IngressClass[]): boolean {
    const name = spec?.ingressClassName ?? metadata?.annotations?.["kubernetes.io/ingress.class"];
    return classes.some((each) => each.metadata?.name === name && each.spec?.controller === traefik.controller);
}

/** Writes Traefik's own address into the status of the Ingresses that it serves. */
export async function ingresses(cluster: Cluster): Promise<() => Promise<void>> {
    const { apps, core, networking } = cluster;
    const networkingPath = "/apis/networking.k8s.io/v1";
    const [objects, classes, services, deployments] = await Promise.all([
        cluster.follow(`${networkingPath}/ingresses`, () => networking.listIngressForAllNamespaces()),
        cluster.follow(`${networkingPath}/ingressclasses`, () => networking.listIngressClass()),
        cluster.follow("/api/v1/services", () => core.listServiceForAllNamespaces()),
        cluster.follow("/apis/apps/v1/deployments", () => apps.listDeploymentForAllNamespaces()),
    ]);
    const isTraefik = ({ metadata }: { metadata?: { namespace?: string; name?: string } }) =>
        metadata?.namespace === traefik.namespace && metadata.name === traefik.name;
    return async () => {
        if (!deployments.list().find(isTraefik)?.status?.availableReplicas) {
            return;
        }
        const published = services.list().find(isTraefik)?.status?.loadBalancer?.ingress ?? [];
        const addresses = published.map(({ ip, hostname }) => (ip ? { ip } : { hostname }));
        const stale = objects
            .list()
            .filter((each) => isServed(each, classes.list()))
            .filter(({ status }) => JSON.stringify(status?.loadBalancer?.ingress ?? []) !== JSON.stringify(addresses));
        await allOf(
            stale.map(({ metadata }) => {
                const { name = "", namespace = "" } = metadata ?? {};
                const body = { status: { loadBalancer: { ingress: addresses.length > 0 ? addresses : null } } };
                return networking.patchNamespacedIngressStatus({ name, namespace, body }, cluster.mergePatch);
            }),
        );
    };
}
