import type { Cluster } from "./cluster";
import type { V1Ingress, V1IngressClass } from "./kubernetes-types";
import { findAvailable } from "./labels";
import { type Controller, forEach } from "./loop";
import { resources } from "./resources";

/** Where k3s runs its ingress controller, and what the IngressClass calls it. */
const traefik = { namespace: "kube-system", service: "traefik", controller: "traefik.io/ingress-controller" };

/**
 * Whether Traefik serves an Ingress. The API server writes the default class into an Ingress that names none.
 *
 * @param classes all IngressClasses
 */
export function isServed({ metadata, spec }: V1Ingress, classes: readonly V1IngressClass[]): boolean {
    const name = spec?.ingressClassName ?? metadata?.annotations?.["kubernetes.io/ingress.class"];
    return classes.some((each) => each.metadata?.name === name && each.spec?.controller === traefik.controller);
}

/** Writes Traefik's own address into the status of the Ingresses that it serves. */
export function ingresses(cluster: Cluster): Controller {
    const objects = cluster.store(resources.ingresses);
    const classes = cluster.store(resources.ingressClasses);
    const services = cluster.store(resources.services);
    const deployments = cluster.store(resources.deployments);
    return {
        name: "ingresses",
        reads: [objects, classes, services, deployments],
        pass: async () => {
            if (!findAvailable(deployments.list(), { "app.kubernetes.io/name": "traefik" })) {
                return undefined;
            }
            const published = services.get(traefik.namespace, traefik.service)?.status?.loadBalancer?.ingress ?? [];
            const addresses = published.map(({ ip, hostname }) => (ip ? { ip } : { hostname }));
            await forEach(objects.list(), async (ingress) => {
                if (!isServed(ingress, classes.list())) {
                    return;
                }
                const written = ingress.status?.loadBalancer?.ingress ?? [];
                if (JSON.stringify(written) !== JSON.stringify(addresses)) {
                    const status = { loadBalancer: { ingress: addresses.length > 0 ? addresses : null } };
                    await cluster.patch(resources.ingresses, ingress, { status }, "status");
                }
            });
            return undefined;
        },
    };
}
