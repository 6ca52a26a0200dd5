import { parseQuantity } from "../../lib/quantity";
import type {
    V1CSIDriver,
    V1Node,
    V1PersistentVolume,
    V1PersistentVolumeClaim,
    V1Pod,
    V1StorageClass,
} from "./kubernetes-types";

/** Input of provisioning besides the claim. */
export interface Surroundings {
    readonly classes: readonly V1StorageClass[];
    readonly drivers: readonly V1CSIDriver[];
    readonly pods: readonly V1Pod[];
    readonly nodes: readonly V1Node[];
}

/** A provisioner's rejection of a claim, with its own message. */
export class Refused extends Error {}

/** Creates the volume of a claim. */
interface Provisioner {
    /** True if its pods would be running. */
    isRunning(surroundings: Surroundings): boolean;
    /**
     * The specification of the volume, without the fields common to all volumes.
     *
     * @throws Refused when the claim or its class requests something unsupported
     */
    specify(
        claim: V1PersistentVolumeClaim,
        storageClass: V1StorageClass,
        volume: string,
        node: V1Node | undefined,
    ): Partial<V1PersistentVolume["spec"]>;
    /** True if it enlarges volumes. */
    readonly expands: boolean;
}

/** Folder of k3s for the volumes of local-path. */
const localPath = "/var/lib/rancher/k3s/storage";

/** Parameters of an NFS class that the driver supports, in lower case: it ignores case. */
const nfsParameters = ["server", "share", "subdir", "mountpermissions", "ondelete"];

/** Replaces `${pvc.metadata.name}` and similar variables, as the driver does in subDir. */
function expandSubdirectory(template: string, { metadata }: V1PersistentVolumeClaim, volume: string): string {
    const values: Readonly<Record<string, string | undefined>> = {
        "pvc.metadata.name": metadata?.name,
        "pvc.metadata.namespace": metadata?.namespace,
        "pv.metadata.name": volume,
    };
    return template.replaceAll(/\$\{([^}]+)\}/g, (whole, name: string) => values[name] ?? whole);
}

/** Every provisioner of the cluster, by its name in StorageClasses. */
const provisioners: Readonly<Record<string, Provisioner>> = {
    "rancher.io/local-path": {
        // k3s runs it on the server; the sandbox has no pod for it.
        isRunning: () => true,
        expands: false,
        specify: ({ metadata, spec }, _class, volume, node) => {
            if (spec?.selector) {
                throw new Refused("claim.Spec.Selector is not supported");
            }
            if (spec?.accessModes?.some((mode) => mode !== "ReadWriteOnce" && mode !== "ReadWriteOncePod")) {
                throw new Refused("NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes");
            }
            if (!node) {
                throw new Refused("configuration error, no node was specified");
            }
            const hostname = node.metadata?.labels?.["kubernetes.io/hostname"] ?? node.metadata?.name ?? "";
            return {
                hostPath: {
                    path: `${localPath}/${volume}_${metadata?.namespace}_${metadata?.name}`,
                    type: "DirectoryOrCreate",
                },
                nodeAffinity: {
                    required: {
                        nodeSelectorTerms: [
                            {
                                matchExpressions: [
                                    { key: "kubernetes.io/hostname", operator: "In", values: [hostname] },
                                ],
                            },
                        ],
                    },
                },
            };
        },
    },
    "nfs.csi.k8s.io": {
        isRunning: ({ drivers, pods }) =>
            drivers.some(({ metadata }) => metadata?.name === "nfs.csi.k8s.io") &&
            pods.some(
                ({ metadata, status }) =>
                    metadata?.labels?.["app"] === "csi-nfs-controller" && status?.phase === "Running",
            ),
        expands: true,
        specify: (claim, storageClass, volume) => {
            const parameters = Object.entries(storageClass.parameters ?? {}).filter(
                ([key]) => !key.startsWith("csi.storage.k8s.io/"),
            );
            const unknown = parameters.find(([key]) => !nfsParameters.includes(key.toLowerCase()));
            if (unknown) {
                throw new Refused(
                    `rpc error: code = InvalidArgument desc = invalid parameter "${unknown[0]}" in storage class`,
                );
            }
            const value = (name: string) => parameters.find(([key]) => key.toLowerCase() === name)?.[1] ?? "";
            if (value("server") === "") {
                throw new Refused("rpc error: code = InvalidArgument desc = server is a required parameter");
            }
            const subdirectory = expandSubdirectory(value("subdir"), claim, volume);
            const { server, directory } = { server: value("server"), directory: subdirectory || volume };
            const share = value("share").replace(/^\/+|\/+$/g, "");
            const unique = value("subdir") === "" ? "" : volume;
            const kept = parameters.filter(([key]) => key.toLowerCase() !== "subdir");
            return {
                csi: {
                    driver: "nfs.csi.k8s.io",
                    volumeHandle: [server, share, directory, unique, value("ondelete")].join("#"),
                    volumeAttributes: {
                        ...Object.fromEntries(kept),
                        subdir: directory,
                        "csi.storage.k8s.io/pv/name": volume,
                        "csi.storage.k8s.io/pvc/name": claim.metadata?.name ?? "",
                        "csi.storage.k8s.io/pvc/namespace": claim.metadata?.namespace ?? "",
                    },
                },
            };
        },
    },
};

const provisionedBy = "pv.kubernetes.io/provisioned-by";

/** The name of the provisioner that a claim waits for, as the controller manager wrote it. */
function provisionerOf({ metadata }: V1PersistentVolumeClaim): string | undefined {
    const { annotations } = metadata ?? {};
    return (
        annotations?.["volume.kubernetes.io/storage-provisioner"] ??
        annotations?.["volume.beta.kubernetes.io/storage-provisioner"]
    );
}

/**
 * The volume that a provisioner creates for a claim now, or undefined when it has nothing to do: the claim is bound,
 * belongs to another one, waits for its first pod, or the provisioner does not run.
 *
 * @throws Refused when the provisioner rejects it
 */
export function provision(claim: V1PersistentVolumeClaim, surroundings: Surroundings): V1PersistentVolume | undefined {
    const { metadata, spec } = claim;
    const name = provisionerOf(claim) ?? "";
    const provisioner = provisioners[name];
    const storageClass = surroundings.classes.find((each) => each.metadata?.name === spec?.storageClassName);
    if (!provisioner || !storageClass || storageClass.provisioner !== name || spec?.volumeName) {
        return undefined;
    }
    const selected = metadata?.annotations?.["volume.kubernetes.io/selected-node"];
    const waits = storageClass.volumeBindingMode === "WaitForFirstConsumer" && !selected;
    if (waits || metadata?.deletionTimestamp || !provisioner.isRunning(surroundings)) {
        return undefined;
    }
    const node = surroundings.nodes.find((each) => each.metadata?.name === selected);
    const volume = `pvc-${metadata?.uid}`;
    return {
        metadata: { name: volume, annotations: { [provisionedBy]: name } },
        spec: {
            ...provisioner.specify(claim, storageClass, volume, node),
            accessModes: spec?.accessModes,
            capacity: { storage: spec?.resources?.requests?.["storage"] ?? "0" },
            claimRef: {
                apiVersion: "v1",
                kind: "PersistentVolumeClaim",
                name: metadata?.name,
                namespace: metadata?.namespace,
                uid: metadata?.uid,
                resourceVersion: metadata?.resourceVersion,
            },
            mountOptions: storageClass.mountOptions,
            persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? "Delete",
            storageClassName: storageClass.metadata?.name,
            volumeMode: spec?.volumeMode ?? "Filesystem",
        },
    };
}

/** Reports whether a provisioner deletes a volume now. */
export function isDisposable({ metadata, spec, status }: V1PersistentVolume, surroundings: Surroundings): boolean {
    const provisioner = provisioners[metadata?.annotations?.[provisionedBy] ?? ""];
    return (
        provisioner?.isRunning(surroundings) === true &&
        status?.phase === "Released" &&
        spec?.persistentVolumeReclaimPolicy === "Delete" &&
        !metadata?.deletionTimestamp
    );
}

/** The larger size that a bound claim requests, if its volume's provisioner supports expansion. */
export function wantedExpansion(
    { spec, status }: V1PersistentVolumeClaim,
    volume: V1PersistentVolume | undefined,
    surroundings: Surroundings,
): string | undefined {
    const provisioner = provisioners[volume?.metadata?.annotations?.[provisionedBy] ?? ""];
    const [wanted, has] = [spec?.resources?.requests?.["storage"], status?.capacity?.["storage"]];
    if (!provisioner?.expands || !provisioner.isRunning(surroundings) || status?.phase !== "Bound") {
        return undefined;
    }
    return wanted && has && parseQuantity(wanted) > parseQuantity(has) ? wanted : undefined;
}
