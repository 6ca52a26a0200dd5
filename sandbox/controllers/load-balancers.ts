import { type Assignment, assignAddress, type Holder, NoAddress } from "./address-pools";
import type { Cluster } from "./cluster";
import type { V1Service } from "./kubernetes-types";
import { findAvailable } from "./labels";
import { type Controller, forEach } from "./loop";
import { resources } from "./resources";

const component = "metallb-controller";
const fromPool = "metallb.io/ip-allocated-from-pool";

const currentAddress = ({ status }: V1Service) => status?.loadBalancer?.ingress?.[0]?.ip;

/** Gives Services of type LoadBalancer the address that MetalLB's controller would give them. */
export function loadBalancers(cluster: Cluster): Controller {
    const services = cluster.store(resources.services);
    const namespaces = cluster.store(resources.namespaces);
    const deployments = cluster.store(resources.deployments);
    const pools = cluster.store(resources.addressPools);
    const l2 = cluster.store(resources.l2Advertisements);
    const bgp = cluster.store(resources.bgpAdvertisements);

    const write = async (service: V1Service, assignment: Assignment | undefined): Promise<void> => {
        const pool = service.metadata?.annotations?.[fromPool];
        if (assignment?.pool !== pool) {
            const annotations = { [fromPool]: assignment?.pool ?? null };
            await cluster.patch(resources.services, service, { metadata: { annotations } });
        }
        if (assignment?.address !== currentAddress(service)) {
            const ingress = assignment ? [{ ip: assignment.address, ipMode: "VIP" }] : null;
            await cluster.patch(resources.services, service, { status: { loadBalancer: { ingress } } }, "status");
        }
    };

    return {
        name: "load balancers",
        reads: [services, namespaces, deployments, pools, l2, bgp],
        pass: async () => {
            const controller = findAvailable(deployments.list(), {
                "app.kubernetes.io/name": "metallb",
                "app.kubernetes.io/component": "controller",
            });
            const namespace = controller?.metadata?.namespace;
            if (namespace === undefined || pools.list().length === 0) {
                // Without a configuration MetalLB has no opinion either.
                return undefined;
            }
            const own = <T extends { metadata?: { namespace?: string } }>(objects: T[]) =>
                objects.filter(({ metadata }) => metadata?.namespace === namespace);
            const balanced = services
                .list()
                .filter(
                    ({ metadata, spec }) =>
                        spec?.type === "LoadBalancer" && !spec.loadBalancerClass && !metadata?.deletionTimestamp,
                );
            // Who has an address keeps it, if it may: newcomers choose among the rest, the oldest first.
            const age = ({ metadata }: V1Service) => Date.parse(String(metadata?.creationTimestamp ?? 0));
            balanced.sort(
                (one, other) => Number(!currentAddress(one)) - Number(!currentAddress(other)) || age(one) - age(other),
            );
            const holders = new Map<string, Holder>();
            for (const service of balanced) {
                const address = currentAddress(service);
                if (address !== undefined) {
                    holders.set(service.metadata?.uid ?? "", { service, address });
                }
            }
            const assigned: [V1Service, Assignment | NoAddress][] = balanced.map((service) => {
                const uid = service.metadata?.uid ?? "";
                holders.delete(uid);
                try {
                    const assignment = assignAddress(service, currentAddress(service), {
                        pools: own(pools.list()),
                        advertisements: own([...l2.list(), ...bgp.list()]),
                        namespaceLabels: namespaces.get("", service.metadata?.namespace ?? "")?.metadata?.labels ?? {},
                        holders: [...holders.values()],
                    });
                    holders.set(uid, { service, address: assignment.address });
                    return [service, assignment];
                } catch (error) {
                    if (error instanceof NoAddress) {
                        return [service, error];
                    }
                    throw error;
                }
            });
            await forEach(assigned, async ([service, outcome]) => {
                const { namespace, name } = service.metadata ?? {};
                if (outcome instanceof NoAddress) {
                    const { reason } = outcome;
                    const message =
                        reason === "AllocationFailed"
                            ? `Failed to allocate IP for "${namespace}/${name}": ${outcome.message}`
                            : outcome.message;
                    await write(service, undefined);
                    await cluster.note(service, { type: "Warning", reason, message, component });
                    return;
                }
                const isNew = currentAddress(service) !== outcome.address;
                await write(service, outcome);
                if (isNew) {
                    const message = `Assigned IP ["${outcome.address}"]`;
                    await cluster.note(service, { type: "Normal", reason: "IPAllocated", message, component });
                }
            });
            return undefined;
        },
    };
}
