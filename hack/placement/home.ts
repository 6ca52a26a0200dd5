import { backupLabels, type CronJob, type Pod as PodWithResult } from "../backups/objects";
import { type BackupRow, backupRows } from "../backups/results";
import type { Kubectl } from "../kubectl";

/** Metadata of an object that affects the placement of pods. */
export interface Metadata {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly ownerReferences?: readonly {
        readonly kind: string;
        readonly name: string;
        readonly controller?: boolean;
    }[];
}

/** A node. */
export interface Node {
    readonly metadata: Metadata;
    readonly spec?: { readonly unschedulable?: boolean; readonly taints?: readonly object[] };
    readonly status?: {
        readonly allocatable?: Readonly<Record<string, string>>;
        readonly capacity?: Readonly<Record<string, string>>;
        readonly images?: readonly object[];
        readonly nodeInfo?: object;
    };
}

/** A container of a pod. */
interface Container {
    readonly name: string;
    readonly image?: string;
    readonly ports?: readonly object[];
    readonly resources?: { readonly requests?: object; readonly limits?: object };
    readonly restartPolicy?: string;
}

/** Spec of a pod, with the fields that the scheduler reads. */
export interface PodSpec {
    readonly nodeName?: string;
    readonly affinity?: { readonly nodeAffinity?: object };
    readonly containers: readonly Container[];
    readonly hostNetwork?: boolean;
    readonly initContainers?: readonly Container[];
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly overhead?: object;
    readonly preemptionPolicy?: string;
    readonly priority?: number;
    readonly priorityClassName?: string;
    readonly resources?: object;
    readonly schedulingGates?: readonly object[];
    readonly tolerations?: readonly object[];
    readonly topologySpreadConstraints?: readonly object[];
    readonly volumes?: readonly {
        readonly name: string;
        readonly persistentVolumeClaim?: { readonly claimName: string };
    }[];
}

/** A pod. */
export interface Pod {
    readonly metadata: Metadata;
    readonly spec: PodSpec;
    readonly status?: { readonly phase?: string };
}

/** A PersistentVolumeClaim. */
export interface Claim {
    readonly metadata: Metadata;
    readonly spec: {
        readonly volumeName?: string;
        readonly storageClassName?: string;
        readonly [key: string]: unknown;
    };
}

interface Requirement {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
}

/** Term of a node selector. */
interface Term {
    readonly matchExpressions?: readonly Requirement[];
    readonly matchFields?: readonly Requirement[];
}

/** A PersistentVolume. */
export interface Volume {
    readonly metadata: Metadata;
    readonly spec: {
        readonly accessModes?: readonly string[];
        readonly capacity?: object;
        readonly storageClassName?: string;
        readonly volumeMode?: string;
        readonly nodeAffinity?: {
            readonly required?: {
                readonly nodeSelectorTerms: readonly Term[];
            };
        };
    };
}

/** A Deployment, StatefulSet or DaemonSet. */
export interface Workload {
    readonly kind?: string;
    readonly metadata: Metadata;
    readonly spec: {
        readonly replicas?: number;
        readonly podManagementPolicy?: string;
        readonly strategy?: { readonly type?: string };
        readonly template: { readonly metadata?: Partial<Metadata>; readonly spec: PodSpec };
        readonly volumeClaimTemplates?: readonly Claim[];
    };
}

/** Objects that other objects' placement refers to. */
interface Other {
    readonly metadata: Metadata;
    readonly [key: string]: unknown;
}

/** Objects of a home that affect the placement of pods. */
export interface Home {
    readonly nodes: readonly Node[];
    readonly pods: readonly Pod[];
    readonly claims: readonly Claim[];
    readonly volumes: readonly Volume[];
    readonly storageClasses: readonly Other[];
    readonly namespaces: readonly Other[];
    readonly priorityClasses: readonly (Other & { readonly value?: number; readonly globalDefault?: boolean })[];
    readonly daemonSets: readonly Workload[];
    readonly statefulSets: readonly Workload[];
    /** Copies and drills of its claims. */
    readonly backups: readonly BackupRow[];
}

/** Reads a home. Nothing in it is changed. */
export async function readHome(kubectl: Kubectl): Promise<Home> {
    const all = ["--all-namespaces"];
    const [nodes, pods, claims, volumes, storageClasses, namespaces, priorityClasses, sets, cronJobs] =
        await Promise.all([
            kubectl.list<Node>("nodes"),
            kubectl.list<Pod & PodWithResult>("pods", ...all),
            kubectl.list<Claim>("persistentvolumeclaims", ...all),
            kubectl.list<Volume>("persistentvolumes"),
            kubectl.list<Other>("storageclasses"),
            kubectl.list<Other>("namespaces"),
            kubectl.list<Other>("priorityclasses"),
            kubectl.list<Workload>("daemonsets,statefulsets", ...all),
            kubectl.list<CronJob>("cronjobs", ...all, "--selector", backupLabels.work),
        ]);
    return {
        ...{ nodes, claims, volumes, storageClasses, namespaces, priorityClasses },
        // A pod that is being deleted, or is complete, needs no node.
        pods: pods.filter(
            ({ metadata, status }) =>
                !metadata.deletionTimestamp && !["Succeeded", "Failed"].includes(status?.phase ?? ""),
        ),
        daemonSets: sets.filter(({ kind }) => kind === "DaemonSet"),
        statefulSets: sets.filter(({ kind }) => kind === "StatefulSet"),
        backups: backupRows(cronJobs, pods),
    };
}

/** `namespace/name` of an object. */
export function keyOf({ metadata: { namespace = "default", name } }: { readonly metadata: Metadata }): string {
    return `${namespace}/${name}`;
}

/** Controller of a pod. */
export interface Controller {
    /** "Pod" for a pod without one. */
    readonly kind: string;
    /** `namespace/name` */
    readonly key: string;
}

/** The controller that recreates a pod: a Deployment, rather than its ReplicaSet. */
export function controllerOf({ metadata }: Pod): Controller {
    const { namespace = "default", name, labels, ownerReferences = [] } = metadata;
    const owner = ownerReferences.find(({ controller }) => controller);
    const hash = labels?.["pod-template-hash"];
    if (owner?.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`)) {
        return { kind: "Deployment", key: `${namespace}/${owner.name.slice(0, -hash.length - 1)}` };
    }
    return { kind: owner?.kind ?? "Pod", key: `${namespace}/${owner?.name ?? name}` };
}

/** Keys of the claims that a pod mounts. */
export function claimsOf({ metadata: { namespace = "default" }, spec }: Pod): string[] {
    return (spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) =>
        claim ? [`${namespace}/${claim.claimName}`] : [],
    );
}

/** Reports whether a node matches a term of a node selector. */
function matches(
    { metadata: { name, labels = {} } }: Node,
    { matchExpressions = [], matchFields = [] }: Term,
): boolean {
    return [...matchExpressions, ...matchFields].every(({ key, operator, values = [] }) => {
        const value = key === "metadata.name" ? name : labels[key];
        switch (operator) {
            case "In":
                return value !== undefined && values.includes(value);
            case "NotIn":
                return value === undefined || !values.includes(value);
            case "Exists":
                return value !== undefined;
            case "DoesNotExist":
                return value === undefined;
            default:
                return true;
        }
    });
}

/** Claims whose volume only these nodes can mount: without them, its data is lost. */
export function lostClaims(
    { nodes, claims, volumes }: Pick<Home, "nodes" | "claims" | "volumes">,
    without: readonly string[],
): Claim[] {
    const byName = new Map(volumes.map((each) => [each.metadata.name, each]));
    return claims.filter(({ spec }) => {
        const terms = byName.get(spec.volumeName ?? "")?.spec.nodeAffinity?.required?.nodeSelectorTerms;
        const holders = nodes.filter((node) => terms?.some((term) => matches(node, term)));
        return holders.length > 0 && holders.every(({ metadata }) => without.includes(metadata.name));
    });
}
