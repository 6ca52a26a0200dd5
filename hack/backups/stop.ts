import { Failure } from "../../lib/failure";
import { pause } from "../../lib/run";
import type { Kubectl } from "../kubectl";
import { backupLabels, type CronJob, type Pod, type PodSpec, selects, skipReconcile, type Workload } from "./objects";

/** Seconds that pods may take to end. */
const limit = 300;

/** Stopped workloads, with the data to start them again. */
export interface Stopped {
    readonly workloads: readonly { readonly kind: string; readonly name: string; readonly replicas: number }[];
    /** CronJobs that were not suspended before. */
    readonly cronJobs: readonly string[];
}

/** Objects of a namespace that mount claims. */
export interface Mounting {
    readonly workloads: readonly Workload[];
    readonly cronJobs: readonly CronJob[];
    readonly pods: readonly Pod[];
}

const mounts = ({ volumes = [] }: PodSpec, claims: readonly string[]) =>
    volumes.some(({ persistentVolumeClaim: claim }) => claim !== undefined && claims.includes(claim.claimName));

/** Pods that could write to claims, without completed ones and those of a restore itself. */
export function writers(pods: readonly Pod[], claims: readonly string[]): Pod[] {
    return pods.filter(
        ({ metadata, spec = {}, status }) =>
            mounts(spec, claims) &&
            metadata.labels?.[backupLabels.work] !== "restore" &&
            !["Succeeded", "Failed"].includes(status?.phase ?? ""),
    );
}

/**
 * Workloads that have to stop before claims may be exchanged.
 *
 * @throws Failure for what cannot be stopped: a DaemonSet, and pods that belong to no workload, such as a running copy's
 */
export function planStop({ workloads, cronJobs, pods }: Mounting, claims: readonly string[]): Stopped {
    const mounting = workloads.filter(({ spec }) => mounts(spec.template.spec, claims));
    const daemon = mounting.find(({ kind }) => kind === "DaemonSet");
    if (daemon) {
        throw new Failure(`DaemonSet ${daemon.metadata.name} mounts ${claims.join(", ")}, and cannot be scaled down`);
    }
    const stopped = (pod: Pod) => mounting.some((workload) => selects(workload, pod));
    const others = writers(pods, claims).filter((pod) => !stopped(pod));
    if (others.length > 0) {
        const work = others[0]?.metadata.labels?.[backupLabels.work];
        throw new Failure(
            work === undefined
                ? `${others.map(({ metadata }) => metadata.name).join(", ")} may write to the volume, and ` +
                      "belongs to no workload that can be scaled down: delete it first"
                : `pod ${others[0]?.metadata.name} is reading the volume (${work}): retry when it has ended`,
        );
    }
    return {
        workloads: mounting.map(({ kind, metadata: { name }, spec }) => ({ kind, name, replicas: spec.replicas ?? 1 })),
        cronJobs: cronJobs
            .filter(({ spec }) => spec.suspend !== true && mounts(spec.jobTemplate.spec.template.spec, claims))
            .map(({ metadata }) => metadata.name),
    };
}

/** Reads {@link Mounting} of a namespace. */
export async function readMounting(kubectl: Kubectl, namespace: string): Promise<Mounting> {
    const inNamespace = ["--namespace", namespace];
    const [workloads, cronJobs, pods] = await Promise.all([
        kubectl.list<Workload>("deployments,statefulsets,daemonsets", ...inNamespace),
        kubectl.list<CronJob>("cronjobs", ...inNamespace),
        kubectl.list<Pod>("pods", ...inNamespace),
    ]);
    return { workloads, cronJobs, pods };
}

/** Polls every second until there is a result; undefined if there is none in time. */
async function until<T>(seconds: number, ask: () => Promise<T | undefined>): Promise<T | undefined> {
    const end = Date.now() + seconds * 1_000;
    for (;;) {
        const answer = await ask();
        if (answer !== undefined || Date.now() > end) {
            return answer;
        }
        await pause(1_000);
    }
}

/** A service whose volumes are exchanged. */
export interface Service {
    /** Its Application. */
    readonly name: string;
    readonly namespace: string;
}

const applicationOf = ({ name }: Service) => ["application.argoproj.io", name, "--namespace", "argocd"];

/** Reports whether there is an Application: a chart from `hack/install` has none before it is committed. */
async function hasApplication(kubectl: Kubectl, service: Service): Promise<boolean> {
    return (await kubectl.run(["get", ...applicationOf(service), "--ignore-not-found", "--output", "name"])) !== "";
}

/** Makes Argo CD skip an Application, and waits for the end of a running sync. */
async function pauseApplication(kubectl: Kubectl, service: Service): Promise<void> {
    const { name } = service;
    const application = applicationOf(service);
    if (!(await hasApplication(kubectl, service))) {
        return;
    }
    await kubectl.run(["annotate", ...application, "--overwrite", `${skipReconcile}=true`]);
    const idle = await until(limit, async () => {
        const phase = await kubectl.run(["get", ...application, "--output", "jsonpath={.status.operationState.phase}"]);
        return phase === "Running" ? undefined : true;
    });
    if (!idle) {
        throw new Failure(`Argo CD is still syncing ${name} after ${limit} s: see \`hack/status\``);
    }
}

/**
 * Stops every workload that may write to claims, and keeps Argo CD from starting it again.
 *
 * @throws Failure when pods do not end; stopped workloads stay stopped
 */
export async function stop(
    kubectl: Kubectl,
    service: Service,
    { workloads, cronJobs }: Stopped,
    claims: readonly string[],
): Promise<void> {
    const inNamespace = ["--namespace", service.namespace];
    await pauseApplication(kubectl, service);
    for (const name of cronJobs) {
        await kubectl.run(["patch", "cronjob", name, ...inNamespace, "--patch", '{"spec":{"suspend":true}}']);
    }
    for (const { kind, name } of workloads) {
        await kubectl.run(["scale", `${kind.toLowerCase()}/${name}`, ...inNamespace, "--replicas=0"]);
    }
    let left: Pod[] = [];
    const ended = await until(limit, async () => {
        left = writers(await kubectl.list<Pod>("pods", ...inNamespace), claims);
        return left.length === 0 ? true : undefined;
    });
    if (!ended) {
        throw new Failure(
            `still running after ${limit} s: ${left.map(({ metadata }) => metadata.name).join(", ")}. ` +
                "The volume is not changed while a pod may write to it",
        );
    }
}

/** Starts the workloads that {@link stop} stopped, and makes Argo CD reconcile the Application again. */
export async function start(kubectl: Kubectl, service: Service, { workloads, cronJobs }: Stopped): Promise<void> {
    const inNamespace = ["--namespace", service.namespace];
    for (const { kind, name, replicas } of workloads) {
        await kubectl.run(["scale", `${kind.toLowerCase()}/${name}`, ...inNamespace, `--replicas=${replicas}`]);
    }
    for (const name of cronJobs) {
        await kubectl.run(["patch", "cronjob", name, ...inNamespace, "--patch", '{"spec":{"suspend":false}}']);
    }
    if (await hasApplication(kubectl, service)) {
        await kubectl.run(["annotate", ...applicationOf(service), `${skipReconcile}-`]);
    }
}

/**
 * Waits until the started workloads are ready.
 * @throws Failure when they are not in time
 */
export async function waitForStart(kubectl: Kubectl, { namespace }: Service, { workloads }: Stopped): Promise<void> {
    for (const { kind, name, replicas } of workloads) {
        if (replicas > 0) {
            const what = `${kind.toLowerCase()}/${name}`;
            await kubectl.run(["rollout", "status", what, "--namespace", namespace, `--timeout=${limit}s`]);
        }
    }
}
