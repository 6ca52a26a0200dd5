import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import { isReady } from "../components/application-status";
import { type Application, readApplications } from "../components/applications";
import { overriddenManifest } from "../components/overrides";
import { readStack } from "../hack/stack";
import { run } from "../lib/run";
import type { ApplicationObject } from "../sandbox/applications-table";
import { kubeApi } from "../sandbox/kube-api";
import { ownProcesses, programOf } from "../sandbox/own-processes";
import type { SandboxPaths } from "../sandbox/paths";
import { eventually } from "../test/monitoring/eventually";
import { tool } from "../toolchain/tools";

/** Cost of an operation. */
export interface Cost {
    readonly seconds: number;
    /** Of the sandbox, and of the programs that were started for it, on all processors; steadier than the clock where others share the machine. */
    readonly processorSeconds: number;
}

/** Processor time of a process and of its children that have ended, in seconds. */
function processorTime(pid: number | "self", ownToo: boolean): number {
    try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        // From the third field on: the second, the name, may have spaces in it. Linux counts hundredths of seconds.
        const times = stat
            .slice(stat.lastIndexOf(")") + 2)
            .split(" ")
            .slice(11, 15)
            .map(Number);
        return times.slice(ownToo ? 0 : 2).reduce((sum, each) => sum + each, 0) / 100;
    } catch {
        return 0;
    }
}

/** Largest resident memory of a process so far, in MiB; 0 when it has ended. */
export function peakMiB(pid: number): number {
    try {
        const peak = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
        return Math.round(Number(peak ?? 0) / 1024);
    } catch {
        return 0;
    }
}

/** Processor seconds that each program of the sandbox has used so far. */
function usedByProgram(paths: SandboxPaths): Map<string, number> {
    const used = new Map<string, number>();
    for (const process of ownProcesses(paths)) {
        const program = programOf(process);
        used.set(program, (used.get(program) ?? 0) + processorTime(process.pid, true));
    }
    return used;
}

const total = (used: ReadonlyMap<string, number>) => [...used.values()].reduce((sum, each) => sum + each, 0);

/** Cost of an idle sandbox. */
export interface Idle {
    /** Processor seconds of all of its programs, in each minute from the first. */
    readonly minutes: readonly number[];
    /** Of each program that takes at least a hundredth of a second, in the last minute, the largest first. */
    readonly lastByProgram: Readonly<Record<string, number>>;
}

/** Measures an idle sandbox for the given number of minutes. */
export async function measureIdle(paths: SandboxPaths, count: number): Promise<Idle> {
    const looks = [usedByProgram(paths)];
    while (looks.length <= count) {
        await delay(60_000);
        looks.push(usedByProgram(paths));
    }
    const [before = new Map(), last = new Map()] = looks.slice(-2);
    return {
        minutes: looks.slice(1).map((used, minute) => total(used) - total(looks[minute] ?? new Map())),
        lastByProgram: Object.fromEntries(
            [...last]
                .map(([program, used]) => [program, used - (before.get(program) ?? 0)] as const)
                .filter(([, used]) => used >= 0.01)
                .sort(([, one], [, other]) => other - one),
        ),
    };
}

/** Measures work that starts programs and waits for their end, and has the sandbox do something. */
export async function measure(paths: SandboxPaths, work: () => Promise<void>): Promise<Cost> {
    // Argo CD's processes may be started or restarted in between: the daemon counts those that have ended.
    const used = () => total(usedByProgram(paths)) + processorTime("self", false);
    const before = used();
    const start = process.hrtime.bigint();
    await work();
    return { seconds: Number(process.hrtime.bigint() - start) / 1e9, processorSeconds: used() - before };
}

/** Runs a program. @throws Error with its output when it fails */
export async function succeed(program: string, args: readonly string[], cwd: string): Promise<string> {
    const env = { ...process.env, PULUMI_CONFIG_PASSPHRASE: "sandbox", PULUMI_SKIP_UPDATE_CHECK: "true" };
    const { exitCode, output } = await run(program, args, { cwd, env });
    if (exitCode !== 0) {
        throw new Error(`${[program, ...args].join(" ")} exited with ${exitCode}:\n${output}`);
    }
    return output;
}

/** Runs `kubectl` at a sandbox's cluster, and returns its output. @throws Error with its output when it fails */
export function kubectl({ kubeconfig, root }: SandboxPaths, ...args: string[]): Promise<string> {
    return succeed(tool("kubectl"), ["--kubeconfig", kubeconfig, ...args], root);
}

/** Creates the sandbox's stack, or selects it. */
export async function selectStack(root: string): Promise<void> {
    await succeed("npx", ["pulumi", "stack", "select", "--create", "sandbox", "--non-interactive"], root);
}

/** `pulumi up` of the sandbox's stack, like `npm start`. */
export async function pulumiUp(root: string, ...args: string[]): Promise<void> {
    const up = [
        "pulumi",
        "up",
        "--yes",
        "--skip-preview",
        "--non-interactive",
        "--parallel",
        "64",
        "--stack",
        "sandbox",
    ];
    await succeed("npx", [...up, ...args], root);
}

/** Resources that `pulumi up` creates before the first tier. */
export const belowTheTiers = ["System", "Secrets", "SecretUsers", "GitSource"].flatMap((component) => [
    "--target",
    `**hearth:components:${component}**`,
]);

/** Limit of every wait, in milliseconds. */
export const waitLimit = 1_200_000;

/**
 * The Applications of the sandbox's stack, with its settings instead of the manifests' defaults; in the checkout's
 * folder.
 */
export async function sandboxApplications(root: string): Promise<Application[]> {
    const { settings } = await readStack("sandbox");
    return readApplications(root, settings.cluster).map((application) => ({
        ...application,
        manifest: overriddenManifest(application, settings),
    }));
}

/**
 * Waits until Applications are Synced and Healthy on a commit: one after the other, so that polling costs the API
 * server next to nothing.
 *
 * @throws Error naming the one that is not, after twenty minutes
 */
export async function untilReady(paths: SandboxPaths, names: readonly string[], revision: string): Promise<void> {
    const api = kubeApi(paths.kubeconfig);
    const deadline = Date.now() + waitLimit;
    try {
        for (const name of names) {
            const path = `/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/${name}`;
            while (!isReady((await api.get<ApplicationObject>(path))?.status, revision)) {
                if (Date.now() > deadline) {
                    throw new Error(`${name} is not Synced and Healthy on ${revision} after twenty minutes`);
                }
                await delay(100);
            }
        }
    } finally {
        api.close();
    }
}

/**
 * Makes Argo CD read, render and compare all Applications again, and waits until it has.
 *
 * @throws Error after twenty minutes
 */
export async function refreshAll(paths: SandboxPaths): Promise<void> {
    const inArgoCD = (...args: string[]) => kubectl(paths, "--namespace", "argocd", ...args);
    const annotation = "argocd.argoproj.io/refresh";
    await inArgoCD("annotate", "applications", "--all", "--overwrite", `${annotation}=hard`);
    const wanted = `jsonpath={range .items[*]}{.metadata.annotations.argocd\\.argoproj\\.io/refresh}{end}`;
    await eventually(
        "every Application is reread",
        async () => (await inArgoCD("get", "applications", "--output", wanted)).trim() === "",
        waitLimit,
    );
}

interface Node {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
}

/** Adds simulated nodes like the sandbox's last one, up to the given number. */
export async function addNodes(paths: SandboxPaths, count: number): Promise<void> {
    const there = (await kubectl(paths, "get", "nodes", "--output=name")).trim().split("\n").length;
    if (count <= there) {
        return;
    }
    const manifest = resolve(__dirname, "../sandbox/manifests/nodes.yaml");
    const model: Node = parseAllDocuments(readFileSync(manifest, "utf8")).at(-1)?.toJS();
    const items = Array.from({ length: count - there }, (_, index) => {
        const name = `node-${there + index}`;
        const labels = { ...model.metadata.labels, "kubernetes.io/hostname": name };
        return { ...model, metadata: { name, labels }, spec: { providerID: `k3s://${name}` } };
    });
    const file = join(paths.directory, "nodes.json");
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    // A kubelet reports more about its host than the sandbox's nodes do.
    await kubectl(paths, "create", "--validate=false", "--filename", file);
}
