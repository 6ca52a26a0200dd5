import type {
    V1ClusterRoleBinding,
    V1ConfigMap,
    V1Container,
    V1CronJob,
    V1DaemonSet,
    V1Deployment,
    V1Ingress,
    V1Job,
    V1ObjectMeta,
    V1PersistentVolumeClaim,
    V1PodTemplateSpec,
    V1Service,
    V1StatefulSet,
} from "@kubernetes/client-node" with { "resolution-mode": "import" };

/** An object as a chart renders it. */
export interface Manifest {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: V1ObjectMeta & { readonly name: string };
}

/** The kinds that the tests look into. */
interface Kinds {
    ClusterRoleBinding: V1ClusterRoleBinding;
    ConfigMap: V1ConfigMap;
    CronJob: V1CronJob;
    DaemonSet: V1DaemonSet;
    Deployment: V1Deployment;
    Ingress: V1Ingress;
    Job: V1Job;
    PersistentVolumeClaim: V1PersistentVolumeClaim;
    Service: V1Service;
    StatefulSet: V1StatefulSet;
}

/** The objects of one kind, in the type of the Kubernetes client. */
export function ofKind<K extends keyof Kinds>(manifests: readonly Manifest[], kind: K): (Manifest & Kinds[K])[] {
    return manifests.filter((manifest) => manifest.kind === kind) as (Manifest & Kinds[K])[];
}

/** What runs pods, and the pods that it runs. */
export interface Workload {
    readonly kind: string;
    readonly name: string;
    readonly namespace: string;
    /** Whether its pods end by themselves. */
    readonly ends: boolean;
    readonly template: V1PodTemplateSpec;
}

/** Every workload among some objects. */
export function workloads(manifests: readonly Manifest[]): Workload[] {
    const always = (["Deployment", "StatefulSet", "DaemonSet"] as const).flatMap((kind) =>
        ofKind(manifests, kind).map((each) => ({ each, template: each.spec?.template, ends: false })),
    );
    const jobs = ofKind(manifests, "Job").map((each) => ({ each, template: each.spec?.template, ends: true }));
    const cronJobs = ofKind(manifests, "CronJob").map((each) => ({
        each,
        template: each.spec?.jobTemplate.spec?.template,
        ends: true,
    }));
    return [...always, ...jobs, ...cronJobs].map(({ each, template, ends }) => ({
        kind: each.kind,
        name: each.metadata.name,
        namespace: each.metadata.namespace ?? "",
        ends,
        template: template ?? {},
    }));
}

/** A container of a workload, and whether it keeps running. */
export interface RunningContainer {
    readonly workload: Workload;
    readonly container: V1Container;
    /** Whether it should run for as long as the pod does. */
    readonly stays: boolean;
}

/** Every container of some objects, with init containers. */
export function containers(manifests: readonly Manifest[]): RunningContainer[] {
    return workloads(manifests).flatMap((workload) => [
        ...(workload.template.spec?.initContainers ?? []).map((container) => ({
            workload,
            container,
            stays: container.restartPolicy === "Always",
        })),
        ...(workload.template.spec?.containers ?? []).map((container) => ({
            workload,
            container,
            stays: !workload.ends,
        })),
    ]);
}
