import { allOf, type Cluster } from "./cluster";
import type { V1PersistentVolumeClaim } from "./kubernetes-types";
import { isDisposable, provision, Refused, type Surroundings, wantedExpansion } from "./provisioning";

/** Creates, enlarges and deletes the volumes that local-path and the NFS driver would; the real controllers bind them. */
export async function volumes(cluster: Cluster): Promise<() => Promise<void>> {
    const { core, storage } = cluster;
    const [claims, objects, classes, drivers, pods, nodes] = await Promise.all([
        cluster.follow("/api/v1/persistentvolumeclaims", () => core.listPersistentVolumeClaimForAllNamespaces()),
        cluster.follow("/api/v1/persistentvolumes", () => core.listPersistentVolume()),
        cluster.follow("/apis/storage.k8s.io/v1/storageclasses", () => storage.listStorageClass()),
        cluster.follow("/apis/storage.k8s.io/v1/csidrivers", () => storage.listCSIDriver()),
        cluster.follow("/api/v1/pods", () => core.listPodForAllNamespaces()),
        cluster.follow("/api/v1/nodes", () => core.listNode()),
    ]);

    /** Reports a refusal once per claim, where `kubectl describe` shows it. */
    const refuse = async ({ metadata, spec }: V1PersistentVolumeClaim, reason: string): Promise<void> => {
        const { name = "", namespace = "", uid } = metadata ?? {};
        const lastTimestamp = new Date();
        await core.createNamespacedEvent({
            namespace,
            body: {
                metadata: { name: `${name}.${uid}` },
                involvedObject: { apiVersion: "v1", kind: "PersistentVolumeClaim", name, namespace, uid },
                type: "Warning",
                reason: "ProvisioningFailed",
                message: `failed to provision volume with StorageClass "${spec?.storageClassName}": ${reason}`,
                firstTimestamp: lastTimestamp,
                lastTimestamp,
                source: { component: metadata?.annotations?.["volume.kubernetes.io/storage-provisioner"] },
            },
        });
    };

    const supply = async (claim: V1PersistentVolumeClaim, surroundings: Surroundings): Promise<void> => {
        try {
            const body = provision(claim, surroundings);
            if (body && !objects.list().some(({ metadata }) => metadata?.name === body.metadata?.name)) {
                await core.createPersistentVolume({ body });
            }
        } catch (error) {
            if (!(error instanceof Refused)) {
                throw error;
            }
            await refuse(claim, error.message);
        }
    };

    const enlarge = async (claim: V1PersistentVolumeClaim, surroundings: Surroundings): Promise<void> => {
        const { name = "", namespace = "" } = claim.metadata ?? {};
        const volume = claim.spec?.volumeName ?? "";
        const held = objects.list().find(({ metadata }) => metadata?.name === volume);
        const storage = wantedExpansion(claim, held, surroundings);
        if (storage) {
            const capacity = { storage };
            await core.patchPersistentVolume({ name: volume, body: { spec: { capacity } } }, cluster.mergePatch);
            const body = { status: { capacity } };
            await core.patchNamespacedPersistentVolumeClaimStatus({ name, namespace, body }, cluster.mergePatch);
        }
    };

    return async () => {
        const surroundings: Surroundings = {
            classes: classes.list(),
            drivers: drivers.list(),
            pods: pods.list(),
            nodes: nodes.list(),
        };
        await allOf([
            ...claims.list().flatMap((claim) => [supply(claim, surroundings), enlarge(claim, surroundings)]),
            ...objects
                .list()
                .filter((volume) => isDisposable(volume, surroundings))
                .map(({ metadata }) =>
                    core.deletePersistentVolume({
                        name: metadata?.name ?? "",
                        body: { preconditions: { uid: metadata?.uid } },
                    }),
                ),
        ]);
    };
}
