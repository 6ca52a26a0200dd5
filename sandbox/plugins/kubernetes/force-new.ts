import type { Properties } from "../shared/values";
import { at, gvkOf } from "./objects";

const pod = [
    ...[
        "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork",
        "hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName",
        "readinessGates restartPolicy runtimeClassName schedulerName securityContext serviceAccount",
        "serviceAccountName shareProcessNamespace subdomain terminationGracePeriodSeconds volumes",
    ].flatMap((line) => line.split(" ").map((field) => `spec.${field}`)),
    ...[
        "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext",
        "stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir",
    ].flatMap((line) =>
        line.split(" ").flatMap((field) => [`spec.containers.*.${field}`, `spec.initContainers.*.${field}`]),
    ),
];

const persistentVolume = [
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs",
    "hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume",
].flatMap((line) => line.split(" ").map((field) => `spec.${field}`));

const statefulSet = ["podManagementPolicy", "revisionHistoryLimit", "selector", "serviceName", "volumeClaimTemplates"];

const core: Readonly<Record<string, readonly string[]>> = {
    PersistentVolume: persistentVolume,
    PersistentVolumeClaim: ["spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"],
    Pod: pod,
    ResourceQuota: ["spec.scopes"],
    Secret: ["type"],
    Service: ["spec.clusterIP"],
};

const workloads = {
    DaemonSet: ["spec.selector"],
    Deployment: ["spec.selector"],
    StatefulSet: statefulSet.map((field) => `spec.${field}`),
};
const job = { Job: ["spec.completions", "spec.parallelism", "spec.selector", "spec.template"] };
const bindings = { ClusterRoleBinding: ["roleRef"], RoleBinding: ["roleRef"] };

/** Fields that cannot be changed in place, by API version and kind. */
const forceNew: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
    "/v1": core,
    "core/v1": core,
    "apps/v1": workloads,
    "apps/v1beta2": workloads,
    "apps/v1beta1": { StatefulSet: workloads.StatefulSet },
    "batch/v1": job,
    "batch/v1beta1": job,
    "batch/v2alpha1": job,
    "policy/v1beta1": { PodDisruptionBudget: ["spec"] },
    "rbac.authorization.k8s.io/v1": bindings,
    "rbac.authorization.k8s.io/v1beta1": bindings,
    "rbac.authorization.k8s.io/v1alpha1": bindings,
    "storage.k8s.io/v1": { StorageClass: ["parameters", "provisioner"] },
};

/** Which kinds the provider's configuration lets change in place. */
export interface Mutability {
    readonly secrets: boolean;
    readonly configMaps: boolean;
}

/**
 * Paths of the fields whose change replaces the object; `*` stands for any element of a list.
 *
 * @param object the new inputs
 */
export function forceNewPaths(object: Properties, mutable: Mutability): readonly string[] {
    const { group, version, kind } = gvkOf(object);
    const identity = ["metadata.name", "metadata.namespace"];
    const kinds = forceNew[`${group}/${version}`];
    if (!kinds) {
        return identity;
    }
    const immutable = at(object, "immutable") === true;
    if (kinds === core && kind === "Secret" && (!mutable.secrets || immutable)) {
        return [...identity, "type", "stringData", "data"];
    }
    if (kinds === core && kind === "ConfigMap" && (!mutable.configMaps || immutable)) {
        return [...identity, "binaryData", "data"];
    }
    return [...identity, ...(kinds[kind] ?? [])];
}
