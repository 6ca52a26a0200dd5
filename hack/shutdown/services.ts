import { pause } from "../../lib/run";
import { type CronJob, type Pod, selects, skipReconcile, type Workload } from "../backups/objects";
import type { Kubectl } from "../kubectl";
import { type PoweredApplication, type PoweredHome, type PowerStep, planPowerOff, recordLines } from "./plan";

/** Seconds that a running sync, or the pods of a step, may take to end. A UPS does not wait for longer. */
const limit = 120;

/** ConfigMap with the services that hack/shutdown/power-on.sh has to start. */
const record = { namespace: "kube-system", name: "power-off" };

/** Reads the record of an earlier, interrupted run; no lines if there is none. */
async function readRecord(kubectl: Kubectl): Promise<string[]> {
    const { namespace, name } = record;
    const query = ["get", "configmap", name, "--namespace", namespace, "--ignore-not-found"];
    return (await kubectl.run([...query, "--output", "jsonpath={.data.steps}"])).split("\n").filter(Boolean);
}

/** Steps in which the home of a cluster stops. */
export async function readPlan(kubectl: Kubectl): Promise<PowerStep[]> {
    const everywhere = "--all-namespaces";
    const [applications, workloads, cronJobs, lines] = await Promise.all([
        kubectl.list<PoweredApplication>("applications.argoproj.io", "--namespace=argocd"),
        kubectl.list<Workload>("deployments,statefulsets", everywhere),
        kubectl.list<CronJob>("cronjobs", everywhere),
        readRecord(kubectl),
    ]);
    const home: PoweredHome = { applications, workloads, cronJobs };
    return planPowerOff(home, lines);
}

/** Writes the record, before anything is stopped. */
export async function writeRecord(kubectl: Kubectl, steps: readonly PowerStep[]): Promise<void> {
    const object = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: record,
        data: {
            steps: recordLines(steps)
                .map((line) => `${line}\n`)
                .join(""),
        },
    };
    const apply = ["apply", "--server-side", "--force-conflicts", "--field-manager", "hearth", "--filename", "-"];
    await kubectl.run(apply, JSON.stringify(object));
}

/** Polls until nothing is left; returns the rest at the time limit. */
async function untilNone(ask: () => Promise<string[]>): Promise<string[]> {
    const end = Date.now() + limit * 1_000;
    for (;;) {
        const left = await ask();
        if (left.length === 0 || Date.now() > end) {
            return left;
        }
        await pause(1_000);
    }
}

/** Stops the services of a step, and keeps Argo CD from starting them. Reports pods that do not end in time. */
async function stopStep(kubectl: Kubectl, step: PowerStep, report: (line: string) => void): Promise<void> {
    const { applications, workloads, cronJobs } = step;
    if (applications.length > 0) {
        const names = applications.map((each) => `application.argoproj.io/${each}`);
        await kubectl.run(["annotate", ...names, "--namespace=argocd", "--overwrite", `${skipReconcile}=true`]);
        const syncing = await untilNone(async () => {
            const found = await kubectl.list<PoweredApplication>("applications.argoproj.io", "--namespace=argocd");
            return found
                .filter(
                    ({ metadata, status }) =>
                        applications.includes(metadata.name) && status?.operationState?.phase === "Running",
                )
                .map(({ metadata }) => metadata.name);
        });
        if (syncing.length > 0) {
            report(`Argo CD is still syncing ${syncing.join(", ")} after ${limit} s`);
        }
    }
    for (const { metadata } of cronJobs) {
        const patch = ["--namespace", metadata.namespace, "--patch", '{"spec":{"suspend":true}}'];
        await kubectl.run(["patch", "cronjob", metadata.name, ...patch]);
    }
    for (const { kind, metadata } of workloads.map(({ workload }) => workload)) {
        const name = `${kind.toLowerCase()}/${metadata.name}`;
        await kubectl.run(["scale", name, "--namespace", metadata.namespace, "--replicas=0"]);
    }
    const running = await untilNone(async () => {
        const pods = await kubectl.list<Pod>("pods", "--all-namespaces");
        return pods
            .filter(({ status }) => !["Succeeded", "Failed"].includes(status?.phase ?? ""))
            .filter((pod) =>
                workloads.some(
                    ({ workload }) => workload.metadata.namespace === pod.metadata.namespace && selects(workload, pod),
                ),
            )
            .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    });
    if (running.length > 0) {
        report(`still running after ${limit} s, and ended with the nodes: ${running.join(", ")}`);
    }
}

/** Stops the steps one after the other. */
export async function stopServices(
    kubectl: Kubectl,
    steps: readonly PowerStep[],
    report: (line: string) => void,
): Promise<void> {
    for (const step of steps) {
        report(`stopping ${step.name}`);
        await stopStep(kubectl, step, report);
    }
}
