import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatTable } from "../hack/table";
import { runMain } from "../lib/failure";
import { type KubeApi, kubeApi } from "../sandbox/kube-api";
import { endProcesses, type OwnProcess, ownProcesses, programOf } from "../sandbox/own-processes";
import type { SandboxPaths } from "../sandbox/paths";
import { deleteSandbox, startSandbox } from "../sandbox/sandbox";
import { eventually } from "../test/monitoring/eventually";
import { costCell, idleCell, memoryCell } from "./cells";
import { homeOf } from "./copies";
import { machine, results } from "./record";
import {
    addNodes,
    type Cost,
    type Idle,
    kubectl,
    measure,
    measureIdle,
    peakMiB,
    pulumiUp,
    refreshAll,
    selectStack,
    waitLimit,
} from "./sandbox";

/**
 * A home of many nodes: `npx tsx bench/nodes.ts [numbers of nodes, ascending]`. 27 small services in a sandbox of a
 * copy of this checkout with a growing number of simulated nodes, each with the pods of every DaemonSet and some of its
 * own. Prints a table and writes bench/results/nodes.json.
 */

/** Pods that each node runs in addition to those of the DaemonSets. */
const podsOfEachNode = 10;

interface Measured {
    readonly nodes: number;
    readonly pods: number;
    /** From the creation of the nodes until every pod on them is ready. */
    readonly added: Cost;
    /** `pulumi up` with nothing to do. */
    readonly unchanged: Cost;
    /** Argo CD reads, renders and compares every Application again. */
    readonly refresh: Cost;
    /** An idle minute after that. */
    readonly idle: Idle;
    /** Largest resident memory of each program so far, in MiB. */
    readonly memoryMiB: Readonly<Record<string, number>>;
}

interface DaemonSet {
    readonly status?: { readonly desiredNumberScheduled?: number; readonly numberReady?: number };
}

/** Pods on every node, in addition to the DaemonSets'. */
const load = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "load", namespace: "default" },
    spec: {
        replicas: 0,
        selector: { matchLabels: { app: "load" } },
        template: {
            metadata: { labels: { app: "load" } },
            spec: { containers: [{ name: "load", image: "registry.home.arpa/load:1" }] },
        },
    },
};

/** The sandbox's nodes renew their leases each second, so that it restarts quickly; a kubelet does so every ten. */
async function renewAsKubeletsDo(paths: SandboxPaths): Promise<void> {
    const isKwok = (each: OwnProcess) => programOf(each) === "kwok-controller";
    const kwok = ownProcesses(paths).find(isKwok);
    const [program = "", ...args] = readFileSync(`/proc/${kwok?.pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    const option = /^(--node-lease-duration-seconds)=.*/;
    if (!args.some((each) => option.test(each))) {
        throw new Error(`kwok has no option that this benchmark expects: ${args.join(" ")}`);
    }
    await endProcesses(paths, isKwok);
    const asKubelets = args.map((each) => each.replace(option, "$1=40"));
    spawn(program, asKubelets, { cwd: paths.root, detached: true, stdio: "ignore" }).unref();
}

interface Deployment {
    readonly status: { readonly readyReplicas?: number };
}

/** Waits until every DaemonSet has a ready pod on each node that it wants one on, and the Deployment all of its pods. */
async function untilRunning(api: KubeApi, nodes: number, pods: number): Promise<void> {
    await eventually(
        `the DaemonSets on ${nodes} nodes and ${pods} pods are ready`,
        async () => {
            const [daemonSets, deployment] = await Promise.all([
                api.get<{ items: DaemonSet[] }>("/apis/apps/v1/daemonsets"),
                api.get<Deployment>("/apis/apps/v1/namespaces/default/deployments/load"),
            ]);
            const areEverywhere = daemonSets?.items.every(
                ({ status = {} }) => status.desiredNumberScheduled === nodes && status.numberReady === nodes,
            );
            return areEverywhere && deployment?.status.readyReplicas === pods;
        },
        waitLimit,
    );
}

async function measured(paths: SandboxPaths, count: number): Promise<Measured> {
    process.stderr.write(`${count} nodes …\n`);
    const api = kubeApi(paths.kubeconfig);
    try {
        const added = await measure(paths, async () => {
            await addNodes(paths, count);
            await kubectl(paths, "scale", "deployment/load", `--replicas=${count * podsOfEachNode}`);
            await untilRunning(api, count, count * podsOfEachNode);
        });
        process.stderr.write(`all of their pods are ready after ${added.seconds.toFixed(0)} s\n`);
        const unchanged = await measure(paths, () => pulumiUp(paths.root));
        const refresh = await measure(paths, () => refreshAll(paths));
        const idle = await measureIdle(paths, 3);
        const pods = (await kubectl(paths, "get", "pods", "--all-namespaces", "--no-headers", "--output=name")).trim();
        const memory = ownProcesses(paths).map((each) => [programOf(each), peakMiB(each.pid)] as const);
        return {
            nodes: count,
            pods: pods.split("\n").length,
            added,
            unchanged,
            refresh,
            idle,
            memoryMiB: Object.fromEntries(memory.toSorted(([, a], [, b]) => b - a)),
        };
    } finally {
        api.close();
    }
}

async function main(): Promise<number> {
    const counts = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [100, 250, 1_000];
    const directory = homeOf(27);
    const { paths } = await startSandbox(directory);
    const all: Measured[] = [];
    try {
        await selectStack(directory);
        await pulumiUp(directory);
        await renewAsKubeletsDo(paths);
        const file = join(paths.directory, "bench-load.json");
        writeFileSync(file, JSON.stringify(load));
        await kubectl(paths, "create", "--filename", file);
        for (const count of counts) {
            all.push(await measured(paths, count));
            const result = { ...machine(), measured: all };
            writeFileSync(join(results, "nodes.json"), `${JSON.stringify(result, null, 2)}\n`);
        }
    } finally {
        await deleteSandbox(directory);
        rmSync(directory, { recursive: true });
    }
    const rows = all.map(({ nodes, pods, added, unchanged, refresh, idle, memoryMiB }) => [
        String(nodes),
        String(pods),
        ...[added, unchanged, refresh].map(costCell),
        idleCell(idle),
        memoryCell(memoryMiB),
    ]);
    const head = ["NODES", "PODS", "ADDED s (CPU)", "UNCHANGED", "REFRESH", "IDLE, BY MINUTE", "LARGEST, MiB"];
    process.stdout.write(`${formatTable(head, rows)}\n`);
    return 0;
}

runMain("bench/nodes.ts", main);
