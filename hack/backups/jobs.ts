import { Failure } from "../../lib/failure";
import { pause } from "../../lib/run";
import type { Kubectl } from "../kubectl";
import type { CronJob, Job, JobSpec, Pod, PodSpec } from "./objects";
import { formatBytes, progressIn, type Result, resultOf } from "./results";

/** Milliseconds between two polls of a Job. */
const interval = 2_000;

/** Seconds for which a verb's finished Job is kept, so that its log can be read. */
const keptFor = 86_400;

/** The spec of a pod with more variables in every container. */
function withVariables(spec: PodSpec, variables: Readonly<Record<string, string>>): PodSpec {
    const added = Object.entries(variables).map(([name, value]) => ({ name, value }));
    const change = (containers: PodSpec["containers"]) =>
        containers?.map((each) => ({
            ...each,
            env: [...(each.env ?? []).filter(({ name }) => !(name in variables)), ...added],
        }));
    const { containers, initContainers } = spec;
    return {
        ...spec,
        containers: change(containers),
        ...(initContainers ? { initContainers: change(initContainers) } : {}),
    };
}

/**
 * A Job from a CronJob's template. It belongs to no CronJob: its success does not count as a nightly run.
 *
 * @param variables of every container, such as ACTION
 */
export function jobFrom(cronJob: CronJob, name: string, variables: Readonly<Record<string, string>>): object {
    const { metadata, spec } = cronJob.spec.jobTemplate;
    const template: JobSpec["template"] = {
        ...spec.template,
        spec: withVariables(spec.template.spec, variables),
    };
    return {
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { name, namespace: cronJob.metadata.namespace, labels: metadata?.labels ?? {} },
        spec: { ...spec, ttlSecondsAfterFinished: keptFor, template },
    };
}

/** A failed Job, with its pod's termination message. */
export class JobFailure extends Failure {
    constructor(
        message: string,
        readonly result: Result | undefined,
    ) {
        super(message);
    }
}

/** A Job of the cluster, followed to its end. */
export interface FollowedJob {
    readonly namespace: string;
    readonly name: string;
}

/** Reports whether a Job has succeeded or failed; undefined while it runs. */
export function endOf({ status }: Job): "complete" | "failed" | undefined {
    const has = (type: string) => status?.conditions?.some((each) => each.type === type && each.status === "True");
    return has("Complete") ? "complete" : has("Failed") ? "failed" : undefined;
}

/** Reason why a pod does not run yet, as a phrase. */
export function waitsFor({ status }: Pod): string | undefined {
    const unscheduled = status?.conditions?.find((each) => each.type === "PodScheduled" && each.status === "False");
    const waiting = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].flatMap(
        ({ state }) => state?.waiting ?? [],
    );
    // Reasons that every new pod has briefly.
    const unusual = waiting.find(({ reason = "" }) => !["PodInitializing", "ContainerCreating", ""].includes(reason));
    return unscheduled?.message ?? (unusual && [unusual.reason, unusual.message].filter(Boolean).join(": "));
}

/** Progress of a pod's running container, from its log; undefined while nothing runs or is logged. */
async function progressOf(kubectl: Kubectl, { metadata, status }: Pod): Promise<string | undefined> {
    const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    const running = all.find(({ state }) => state?.running !== undefined);
    if (running === undefined) {
        return undefined;
    }
    const args = ["logs", metadata.name, "--namespace", metadata.namespace, "--container", running.name, "--tail=20"];
    // The log may not be available yet.
    const progress = progressIn(await kubectl.run(args).catch(() => ""));
    return progress
        ? `${running.name}: ${Math.floor(progress.percent * 100)} %, ${formatBytes(progress.bytes)}`
        : running.name;
}

async function podOf(kubectl: Kubectl, { namespace, name }: FollowedJob): Promise<Pod | undefined> {
    const selector = ["--namespace", namespace, "--selector", `batch.kubernetes.io/job-name=${name}`];
    const pods = await kubectl.list<Pod>("pods", ...selector);
    return [...pods]
        .sort((one, other) =>
            (one.metadata.creationTimestamp ?? "").localeCompare(other.metadata.creationTimestamp ?? ""),
        )
        .at(-1);
}

/**
 * Waits for the end of a Job.
 *
 * @param report called with its progress, or the reason why it waits
 * @returns its pod's termination message; undefined when that is lost
 * @throws JobFailure with the reason
 */
export async function follow(
    kubectl: Kubectl,
    job: FollowedJob,
    report: (state: string) => void,
): Promise<Result | undefined> {
    const logs = `kubectl -n ${job.namespace} logs job/${job.name} --all-containers`;
    for (;;) {
        const found = await kubectl.run([
            ...["get", "job", job.name, "--namespace", job.namespace],
            ...["--ignore-not-found", "--output", "json"],
        ]);
        if (found === "") {
            throw new Failure(`Job ${job.namespace}/${job.name} was deleted: rerun the command`);
        }
        const end = endOf(JSON.parse(found));
        const pod = await podOf(kubectl, job);
        const result = pod && resultOf(pod);
        if (end === "complete") {
            return result;
        }
        if (end === "failed") {
            const why = result?.message ?? "the Job failed without a message";
            throw new JobFailure(`${job.namespace}/${job.name}: ${why}\n  ${logs}`, result);
        }
        const state = pod && (waitsFor(pod) ?? (await progressOf(kubectl, pod)));
        report(state ?? "waiting for its pod");
        await pause(interval);
    }
}

/** Creates a Job, unless one of its name runs or is complete; one that failed is replaced. */
export async function ensureJob(kubectl: Kubectl, job: FollowedJob, make: () => object): Promise<void> {
    const reference = ["job", job.name, "--namespace", job.namespace];
    const found = await kubectl.run(["get", ...reference, "--ignore-not-found", "--output", "json"]);
    if (found !== "" && endOf(JSON.parse(found)) !== "failed") {
        return;
    }
    if (found !== "") {
        await kubectl.run(["delete", ...reference, "--ignore-not-found"]);
    }
    await kubectl.run(["create", "--filename", "-"], JSON.stringify(make()));
}

/** Name of a Job. Those of CronJobs have 52 characters at most, so it fits into the 63 of a label. */
export function jobName(of: string, work: string, id: string): string {
    return `${of}-${work}-${id}`;
}
