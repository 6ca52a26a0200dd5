/** Labels that the library chart gives to CronJobs of backups, to their Jobs and to their pods. */
export const backupLabels = {
    /** Kind of work: backup, drill, restore; repository and prune in the namespace `backup`. */
    work: "hearth/backup",
    /** The claim that it copies or restores. */
    claim: "hearth/claim",
    /** The chart. */
    chart: "app.kubernetes.io/part-of",
} as const;

/** Namespace of the CronJobs that maintain the repository. */
export const backupNamespace = "backup";

/** Metadata of an object that the backup verbs read. */
export interface Metadata {
    readonly name: string;
    readonly namespace: string;
    readonly uid?: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
}

/** A container of a pod's template. */
interface Container {
    readonly name: string;
    readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

/** The spec of a pod or of its template. */
export interface PodSpec {
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[];
}

/** A Job's spec. */
export interface JobSpec {
    readonly template: { readonly metadata?: Partial<Metadata>; readonly spec: PodSpec };
}

/** A CronJob. */
export interface CronJob {
    readonly metadata: Metadata;
    readonly spec: {
        readonly suspend?: boolean;
        readonly jobTemplate: { readonly metadata?: Partial<Metadata>; readonly spec: JobSpec };
    };
    readonly status?: {
        readonly active?: readonly { readonly name: string }[];
        readonly lastSuccessfulTime?: string;
    };
}

/** A Job. */
export interface Job {
    readonly metadata: Metadata;
    readonly status?: {
        readonly conditions?: readonly {
            readonly type: string;
            readonly status: string;
            readonly message?: string;
        }[];
    };
}

/** Status of a container. */
interface ContainerStatus {
    readonly name: string;
    readonly state?: {
        readonly running?: object;
        readonly waiting?: { readonly reason?: string; readonly message?: string };
        readonly terminated?: { readonly exitCode: number; readonly message?: string };
    };
}

/** A pod. */
export interface Pod {
    readonly metadata: Metadata;
    readonly spec?: PodSpec;
    readonly status?: {
        readonly phase?: string;
        readonly conditions?: readonly {
            readonly type: string;
            readonly status: string;
            readonly message?: string;
        }[];
        readonly initContainerStatuses?: readonly ContainerStatus[];
        readonly containerStatuses?: readonly ContainerStatus[];
    };
}

/** A Deployment, StatefulSet or DaemonSet. */
export interface Workload {
    readonly kind: string;
    readonly metadata: Metadata;
    readonly spec: {
        readonly replicas?: number;
        readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> };
        readonly template: { readonly spec: PodSpec };
    };
}

/**
 * Annotation by which Argo CD skips an Application: https://argo-cd.readthedocs.io/en/stable/user-guide/skip_reconcile/
 */
export const skipReconcile = "argocd.argoproj.io/skip-reconcile";

/** Reports whether a workload's selector matches a pod of its namespace. */
export function selects({ spec: { selector } }: Pick<Workload, "spec">, { metadata }: Pick<Pod, "metadata">): boolean {
    const labels = Object.entries(selector.matchLabels ?? {});
    return labels.length > 0 && labels.every(([name, value]) => metadata.labels?.[name] === value);
}
