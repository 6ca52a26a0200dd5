import type { Cluster } from "./cluster";
import type { V1PersistentVolumeClaim } from "./kubernetes-types";
import { type Controller, forEach, inOrder } from "./loop";
import { isDisposable, provision, Refused, type Surroundings, wantedExpansion } from "./provisioning";
import { resources } from "./resources";

/** Makes, enlarges and deletes the volumes that local-path and the NFS driver would; the real controllers bind them. */
export function volumes(cluster: Cluster): Controller {
    const claims = cluster.store(resources.claims);
    const objects = cluster.store(resources.volumes);
    const classes = cluster.store(resources.storageClasses);
    const drivers = cluster.store(resources.csiDrivers);
    const pods = cluster.store(resources.pods);
    const nodes = cluster.store(resources.nodes);

    const supply = async (claim: V1PersistentVolumeClaim, surroundings: Surroundings): Promise<void> => {
        const component = claim.metadata?.annotations?.["volume.kubernetes.io/storage-provisioner"] ?? "provisioner";
        try {
            const volume = provision(claim, surroundings);
            if (!volume || objects.get("", volume.metadata?.name ?? "")) {
                return;
            }
            if (await cluster.create(resources.volumes, volume)) {
                const message = `Successfully provisioned volume ${volume.metadata?.name}`;
                await cluster.note(claim, { type: "Normal", reason: "ProvisioningSucceeded", message, component });
            }
        } catch (error) {
            if (!(error instanceof Refused)) {
                throw error;
            }
            const message = `failed to provision volume with StorageClass "${claim.spec?.storageClassName}": ${error.message}`;
            await cluster.note(claim, { type: "Warning", reason: "ProvisioningFailed", message, component });
        }
    };

    const enlarge = async (claim: V1PersistentVolumeClaim, surroundings: Surroundings): Promise<void> => {
        const volume = objects.get("", claim.spec?.volumeName ?? "");
        const storage = wantedExpansion(claim, volume, surroundings);
        if (volume && storage) {
            await cluster.patch(resources.volumes, volume, { spec: { capacity: { storage } } });
            await cluster.patch(resources.claims, claim, { status: { capacity: { storage } } }, "status");
        }
    };

    return {
        name: "volumes",
        reads: [claims, objects, classes, drivers, pods, nodes],
        pass: async () => {
            const surroundings: Surroundings = {
                classes: classes.list(),
                drivers: drivers.list(),
                pods: pods.list(),
                nodes: nodes.list(),
            };
            const disposable = objects.list().filter((volume) => isDisposable(volume, surroundings));
            await inOrder(
                () => forEach(claims.list(), (claim) => supply(claim, surroundings)),
                () => forEach(claims.list(), (claim) => enlarge(claim, surroundings)),
                () => forEach(disposable, (volume) => cluster.delete(resources.volumes, volume)),
            );
            return undefined;
        },
    };
}
