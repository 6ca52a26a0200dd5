import type { ApplicationStatus, Warning } from "../../components/application-status";
import type { Kubectl } from "../kubectl";

/** Fields of a probe that determine its target. */
export interface Probe {
    readonly httpGet?: { readonly port: number | string };
    readonly tcpSocket?: { readonly port: number | string };
    readonly grpc?: { readonly port: number };
}

/** Container of a pod template. */
export interface Container {
    readonly name: string;
    readonly image: string;
    readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
    readonly startupProbe?: Probe;
    readonly livenessProbe?: Probe;
    readonly readinessProbe?: Probe;
}

interface ObjectMeta {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
}

/** Workload that replaces its pods when their template changes. */
export interface Workload {
    readonly kind: string;
    readonly metadata: ObjectMeta;
    readonly spec: {
        readonly replicas?: number;
        readonly template: {
            readonly spec: {
                readonly containers: readonly Container[];
                readonly initContainers?: readonly Container[];
                readonly volumes?: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[];
            };
        };
    };
}

/** Claim of a volume. */
export interface Claim {
    readonly metadata: ObjectMeta;
}

/** Object in the status of an Application: part of its chart, or only in the cluster. */
export interface ManagedObject {
    readonly group?: string;
    readonly version?: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly status?: string;
    readonly requiresPruning?: boolean;
}

/** Application as Argo CD sees it. */
export interface RehearsedApplication {
    readonly metadata: ObjectMeta;
    readonly spec: { readonly destination: { readonly namespace?: string } };
    readonly status?: Omit<ApplicationStatus, "resources" | "operationState"> & {
        readonly health?: { readonly lastTransitionTime?: string };
        readonly resources?: readonly ManagedObject[];
        readonly operationState?: ApplicationStatus["operationState"] & {
            readonly startedAt?: string;
            readonly finishedAt?: string;
            readonly syncResult?: {
                readonly resources?: readonly (ManagedObject & { readonly message?: string })[];
            };
        };
    };
}

/** Objects of a cluster that a rehearsal compares. */
export interface Observation {
    readonly applications: readonly RehearsedApplication[];
    readonly workloads: readonly Workload[];
    readonly claims: readonly Claim[];
    readonly events: readonly Warning[];
}

/** Reads {@link Observation}. */
export async function observe(kubectl: Kubectl): Promise<Observation> {
    const everywhere = "--all-namespaces";
    const [applications, workloads, claims, events] = await Promise.all([
        listApplications(kubectl),
        kubectl.list<Workload>("deployments,statefulsets,daemonsets", everywhere),
        kubectl.list<Claim>("persistentvolumeclaims", everywhere),
        kubectl.list<Warning>("events", everywhere, "--field-selector=type=Warning"),
    ]);
    return { applications, workloads, claims, events };
}

/** The Applications of a cluster. */
export function listApplications(kubectl: Kubectl): Promise<readonly RehearsedApplication[]> {
    return kubectl.list<RehearsedApplication>("applications.argoproj.io", "--namespace", "argocd");
}
