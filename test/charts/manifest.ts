type Client = typeof import("@kubernetes/client-node", { with: { "resolution-mode": "import" }});

/** A class of the Kubernetes client, by name: the client is an ES module, and this one is not. */
export type Model<Name extends keyof Client> = Client[Name] extends abstract new (
    ...parameters: never[]
) => infer T
    ? T
    : never;

/** An object as a chart renders it. */
export interface Manifest {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: Model<"V1ObjectMeta"> & { readonly name: string };
}

/** The kinds that the tests inspect. */
interface Kinds {
    ClusterRoleBinding: Model<"V1ClusterRoleBinding">;
    ConfigMap: Model<"V1ConfigMap">;
    CronJob: Model<"V1CronJob">;
    DaemonSet: Model<"V1DaemonSet">;
    Deployment: Model<"V1Deployment">;
    Ingress: Model<"V1Ingress">;
    Job: Model<"V1Job">;
    NetworkPolicy: Model<"V1NetworkPolicy">;
    PersistentVolumeClaim: Model<"V1PersistentVolumeClaim">;
    Service: Model<"V1Service">;
    StatefulSet: Model<"V1StatefulSet">;
}

/** The objects of one kind, in the type of the Kubernetes client. */
export function ofKind<K extends keyof Kinds>(manifests: readonly Manifest[], kind: K): (Manifest & Kinds[K])[] {
    return manifests.filter((manifest) => manifest.kind === kind) as (Manifest & Kinds[K])[];
}

/**
 * A file of a ConfigMap.
 *
 * @throws Error when there is no such ConfigMap or file
 */
export function configFile(manifests: readonly Manifest[], configMap: string, file: string): string {
    const found = ofKind(manifests, "ConfigMap").find(({ metadata }) => metadata.name === configMap)?.data?.[file];
    if (found === undefined) {
        throw new Error(`no ConfigMap ${configMap} with a file ${file}`);
    }
    return found;
}

/** Kinds that run pods, and the pods themselves. */
export interface Workload {
    readonly kind: string;
    readonly name: string;
    readonly namespace: string;
    /** Reports whether its pods end by themselves. */
    readonly ends: boolean;
    readonly template: Model<"V1PodTemplateSpec">;
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
    readonly container: Model<"V1Container">;
    /** Reports whether it should run for as long as the pod does. */
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
