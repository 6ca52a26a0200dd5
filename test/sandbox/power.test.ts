import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Kubectl } from "../../hack/kubectl";
import type { PowerStep } from "../../hack/shutdown/plan";
import { readPlan, stopServices, writeRecord } from "../../hack/shutdown/services";
import { Home, until } from "./home";

/** Milliseconds for a fresh cluster and six Applications. */
const limit = 15 * 60_000;

interface Workload {
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly namespace: string };
    readonly spec: { readonly replicas: number };
    readonly status?: { readonly readyReplicas?: number };
}

interface CronJob {
    readonly metadata: { readonly name: string; readonly namespace: string };
    readonly spec: { readonly suspend?: boolean };
}

/** Namespaces of the services, by the step in which they stop. */
const order = [["kavita", "paperless", "qbittorrent"], ["garage"], ["cert-manager"], ["database"]];

let home: Home;
let kubectl: Kubectl;

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications(...order.flat());
    await home.commit("fewer services");
    expect(await home.start()).toHaveEndedWith(0);
    kubectl = new Kubectl(home.kubeconfig);
}, limit);

afterAll(async () => home.remove(), limit);

const nameOf = ({ kind, metadata }: Pick<Workload, "kind" | "metadata">) =>
    `${metadata.namespace}/${kind}/${metadata.name}`;

/** The Deployments and StatefulSets of the cluster. */
async function workloads(): Promise<Workload[]> {
    return (await home.get<{ items: Workload[] }>("deployments,statefulsets", "--all-namespaces")).items;
}

/** Replicas of workloads, by their full name. */
async function replicas(): Promise<Record<string, number>> {
    return Object.fromEntries((await workloads()).map((each) => [nameOf(each), each.spec.replicas]));
}

/** Steps that have a ready pod. */
async function running(steps: readonly PowerStep[]): Promise<string[]> {
    const ready = (await workloads()).filter(({ status }) => (status?.readyReplicas ?? 0) > 0).map(nameOf);
    return steps
        .filter((step) => step.workloads.some(({ workload }) => ready.includes(nameOf(workload))))
        .map(({ name }) => name);
}

/** CronJobs that are not suspended. */
async function activeCronJobs(): Promise<string[]> {
    const { items } = await home.get<{ items: CronJob[] }>("cronjobs", "--all-namespaces");
    return items.filter(({ spec }) => spec.suspend !== true).map(({ metadata }) => metadata.name);
}

/** Waits until exactly these steps run, by the status of workloads, which follows the pods. */
async function runs(names: readonly string[], steps: readonly PowerStep[]): Promise<void> {
    await until(`running: ${names.join(", ")}`, 120_000, async () => (await running(steps)).join() === names.join());
}

/** Applications that Argo CD skips. */
async function paused(): Promise<string[]> {
    const found = [...(await home.applications()).values()];
    return found
        .filter(({ metadata }) => metadata.annotations?.["argocd.argoproj.io/skip-reconcile"] === "true")
        .map(({ metadata }) => metadata.name)
        .sort();
}

/** Runs the script of the servers with this home's kubectl, and returns the calls of it. */
function powerOn(): string[] {
    const folder = join(home.root, ".sandbox/power-on");
    mkdirSync(folder, { recursive: true });
    const log = join(folder, "calls");
    const [program, options] = home.kubectlCommand();
    const program3 = `#!/bin/sh\nshift\necho "$*" >> ${log}\nexec ${program} ${options.join(" ")} "$@"\n`;
    writeFileSync(join(folder, "k3s"), program3, { mode: 0o755 });
    writeFileSync(join(folder, "systemctl"), "#!/bin/sh\n", { mode: 0o755 });
    const script = join(folder, "hearth-power-on");
    copyFileSync(resolve(__dirname, "../../hack/shutdown/power-on.sh"), script);
    execFileSync("sh", [script], { env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` } });
    expect(existsSync(script)).toBe(false);
    return readFileSync(log, "utf8").trim().split("\n");
}

test(
    "services stop tier by tier, databases last, and start in reverse order, unchanged",
    async () => {
        const before = { replicas: await replicas(), cronJobs: await activeCronJobs() };
        const steps = await readPlan(kubectl);
        const names = steps.map(({ name }) => name);
        expect(names).toEqual(["tier 3", "tier 2", "tier 1", "databases"]);
        expect(steps.map(({ applications }) => applications.toSorted())).toEqual(order);
        // Components that Pulumi installs belong to no Application and keep running: MetalLB, cert-manager and Argo CD.
        const stopped = steps.flatMap((step) => step.workloads.map(({ workload }) => nameOf(workload)));
        const withPods = names.filter((_, index) => (steps[index]?.workloads.length ?? 0) > 0);
        await writeRecord(kubectl, steps);
        for (const [index, step] of steps.entries()) {
            const expected = withPods.filter((name) => names.indexOf(name) >= index);
            await runs(expected, steps);
            await stopServices(kubectl, [step], () => undefined);
        }
        await runs([], steps);
        const now = await replicas();
        expect(
            Object.keys(now)
                .filter((name) => now[name] !== before.replicas[name])
                .sort(),
        ).toEqual(stopped.sort());
        const suspended = steps.flatMap((step) => step.cronJobs.map(({ metadata }) => metadata.name));
        expect(suspended).not.toEqual([]);
        expect((await activeCronJobs()).filter((name) => suspended.includes(name))).toEqual([]);
        expect(await paused()).toEqual(order.flat().sort());
        // A rerun after an interruption keeps the whole record.
        expect(await readPlan(kubectl)).toMatchObject(
            steps.map(({ name, workloads }) => ({
                name,
                workloads: workloads.map((each) => ({ replicas: each.replicas })),
            })),
        );

        const calls = powerOn();
        const started = calls.filter((call) => call.startsWith("scale ")).map((call) => call.split(" ")[2] ?? "");
        const steppedBack = started.map((namespace) => order.findIndex((step) => step.includes(namespace)));
        expect(steppedBack).toEqual(steppedBack.toSorted((a, b) => b - a));
        const wait = calls.findIndex((call) => call.startsWith("rollout status --namespace database"));
        expect(wait).toBeGreaterThan(0);
        expect(wait).toBeLessThan(calls.findIndex((call) => call.startsWith("scale --namespace garage")));
        expect(await replicas()).toEqual(before.replicas);
        expect(await activeCronJobs()).toEqual(before.cronJobs);
        expect(await paused()).toEqual([]);
        await runs(withPods, steps);
        expect((await home.kubectl("get", "configmap", "power-off", "--namespace=kube-system")).output).toContain(
            "not found",
        );
    },
    limit,
);
