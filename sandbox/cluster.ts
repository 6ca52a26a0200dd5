import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parse } from "yaml";
import { Failure } from "../lib/failure";
import { freePorts, isFree } from "../lib/ports";
import { root } from "../lib/root";
import { run } from "../lib/run";
import { tool } from "../toolchain/tools";
import { writeEgressConfig } from "./egress";
import { writeFileAtomically } from "./files";
import { kubeApi } from "./kube-api";
import { clusterDirectory, clusterName, portOptions, writeKubeconfig, writeKwokConfig } from "./kwok-config";
import { ownTool } from "./links";
import { endProcesses, type OwnProcess, ownProcesses } from "./own-processes";
import { type SandboxPaths, sandboxPaths } from "./paths";
import type { SandboxSettings } from "./settings";
import { removeStackState } from "./stack-state";

/** Milliseconds for which a cluster whose processes run may not be ready. */
const busyLimit = 15_000;
/** Milliseconds for a new API server to have its first namespaces, on a machine that may be busy. */
const namespaceLimit = 300_000;
/** Milliseconds until the ports of ended processes are free. */
const portLimit = 10_000;

/** Outcome of starting the cluster. */
export type ClusterStart = "created" | "started" | "running";

const manifests = join(root, "sandbox/manifests");

async function kwokctl(paths: SandboxPaths, ...args: string[]): Promise<void> {
    const { exitCode, output } = await run(ownTool(paths, "kwokctl"), [...args, "--name", clusterName], {
        // Its own folder for kubectl's and kwokctl's caches too: nothing is written to the user's home.
        env: { ...process.env, KWOK_WORKDIR: paths.kwok, HOME: join(paths.directory, "home") },
        timeout: 300_000,
    });
    if (exitCode !== 0) {
        const last = output.trim().split("\n").at(-1) ?? "";
        throw new Failure(
            `the control plane did not start: ${last}\n` +
                `Its logs are in ${join(clusterDirectory(paths), "logs")}. ` +
                "`npm stop -- --delete` removes the sandbox, and `npm start` creates a new one.",
        );
    }
}

async function kubectl(paths: SandboxPaths, ...args: string[]): Promise<void> {
    const { exitCode, output } = await run(tool("kubectl"), ["--kubeconfig", paths.kubeconfig, ...args], {
        timeout: 60_000,
    });
    if (exitCode !== 0) {
        throw new Failure(`kubectl ${args.join(" ")}: ${output.trim()}`);
    }
}

/**
 * Reports whether every component runs as kwokctl recorded it. Its records outlive a reboot, and their process numbers
 * may belong to other programs then.
 */
function runsAsRecorded(paths: SandboxPaths): boolean {
    const directory = clusterDirectory(paths);
    const pids = join(directory, "pids");
    if (!existsSync(pids)) {
        return false;
    }
    const recorded = readdirSync(pids).map((file) => `${basename(file, ".pid")} ${readFileSync(join(pids, file))}`);
    const running = ownProcesses(paths)
        .filter(({ path }) => path.startsWith(`${directory}/bin/`))
        .map(({ pid, path }) => `${basename(path)} ${pid}`);
    return running.length >= 5 && recorded.sort().join() === running.sort().join();
}

async function isReady(paths: SandboxPaths): Promise<boolean> {
    const api = kubeApi(paths.kubeconfig);
    try {
        return (await api.get("/readyz")) === "ok";
    } catch {
        return false;
    } finally {
        api.close();
    }
}

/** Reports whether the cluster runs. One with all of its processes may be busy: it is polled for a while. */
async function isRunning(paths: SandboxPaths): Promise<boolean> {
    for (const deadline = Date.now() + busyLimit; runsAsRecorded(paths); await delay(200)) {
        if (await isReady(paths)) {
            return true;
        }
        if (Date.now() > deadline) {
            return false;
        }
    }
    return false;
}

/** Ends the control plane and forgets its processes. */
async function endControlPlane(paths: SandboxPaths): Promise<void> {
    const isControlPlane = ({ path }: OwnProcess) => path.startsWith(`${paths.kwok}/`) || basename(path) === "kwokctl";
    // etcd has a write-ahead log of everything that it acknowledges: killing loses nothing.
    await endProcesses(paths, isControlPlane, 1_000);
    const pids = join(clusterDirectory(paths), "pids");
    rmSync(pids, { recursive: true, force: true });
    mkdirSync(pids, { recursive: true });
}

/**
 * The API server answers before its first namespaces exist, whose accounts the controller manager creates. That ends if
 * the API server is not healthy within 10 s (WaitForAPIServer in kubernetes' cmd/kube-controller-manager); a kubelet would
 * start it again.
 */
async function waitForNamespace(paths: SandboxPaths, name: string): Promise<void> {
    const api = kubeApi(paths.kubeconfig);
    try {
        for (const deadline = Date.now() + namespaceLimit; Date.now() < deadline; await delay(200)) {
            if (await api.get(`/api/v1/namespaces/${name}/serviceaccounts/default`).catch(() => undefined)) {
                return;
            }
            if (!runsAsRecorded(paths)) {
                // Starts the components that have ended; the others keep running.
                await kwokctl(paths, "start", "cluster");
            }
        }
        throw new Failure(
            `the API server has no namespace ${name} after ${namespaceLimit / 1000} s: see ${clusterDirectory(paths)}/logs`,
        );
    } finally {
        api.close();
    }
}

/** Fields that are read from the first document of kwokctl's record of the cluster. */
interface RecordedCluster {
    readonly components: readonly { readonly ports?: readonly { readonly port: number }[] }[];
}

/** A cluster keeps its ports; while it was stopped, another program may have taken one. */
async function checkPorts(paths: SandboxPaths): Promise<void> {
    // Later documents contain ports too: Gitea's, which keeps running without the control plane.
    const [recorded = ""] = readFileSync(join(clusterDirectory(paths), "kwok.yaml"), "utf8").split(/^---$/m, 1);
    const { components }: RecordedCluster = parse(recorded);
    const ports = components.flatMap((component) => (component.ports ?? []).map(({ port }) => port));
    const takenNow = async () => {
        const free = await Promise.all(ports.map(isFree));
        return ports.filter((_, index) => !free[index]);
    };
    let taken = await takenNow();
    // A process that was killed disappears from the process list before its ports are free.
    for (const deadline = Date.now() + portLimit; taken.length > 0 && Date.now() < deadline; taken = await takenNow()) {
        await delay(50);
    }
    if (taken.length > 0) {
        throw new Failure(
            `the cluster was created with ports of 127.0.0.1 that other programs use now: ${taken.join(", ")}. End them (see ` +
                `\`lsof -i :${taken[0]}\`), or make a new cluster: \`npm stop -- --delete\`, then \`npm start\`.`,
        );
    }
}

async function create(paths: SandboxPaths, settings: SandboxSettings): Promise<void> {
    // Their data is deleted, so they need no graceful shutdown.
    await endProcesses(paths, () => true, 0);
    for (const leftover of [paths.kwok, paths.kubeconfig, paths.argocd, paths.operators]) {
        rmSync(leftover, { recursive: true, force: true });
    }
    // Before the cluster exists, so that it never meets the state of another one.
    removeStackState(paths.root);
    const kubeconfig = join(paths.directory, "kwok.kubeconfig");
    const { egress, ...ports } = await freePorts("egress", ...portOptions);
    writeEgressConfig(paths, egress);
    await kwokctl(
        paths,
        "create",
        "cluster",
        "--config",
        writeKwokConfig(paths, settings, ports),
        "--kubeconfig",
        kubeconfig,
        "--wait",
        "60s",
    );
    writeKubeconfig(paths);
    await waitForNamespace(paths, "kube-system");
    await kubectl(paths, "create", "-f", join(manifests, "nodes.yaml"), "-f", join(manifests, "k3s.yaml"));
    writeFileAtomically(paths.clusterMarker, JSON.stringify({ created: new Date().toISOString() }));
}

/**
 * Starts the cluster of a checkout's sandbox: creates it, starts it again, or finds it running. An interrupted creation
 * is repeated from the start.
 *
 * @throws Failure when a component does not start, or a tool is missing
 */
export async function startCluster(projectRoot: string, settings: SandboxSettings): Promise<ClusterStart> {
    const paths = sandboxPaths(projectRoot);
    const complete = [paths.clusterMarker, paths.kubeconfig, paths.egress, clusterDirectory(paths)].every(existsSync);
    if (!complete) {
        rmSync(paths.clusterMarker, { force: true });
        await create(paths, settings);
        return "created";
    }
    if (await isRunning(paths)) {
        return "running";
    }
    await endControlPlane(paths);
    await checkPorts(paths);
    writeKwokConfig(paths, settings);
    await kwokctl(paths, "start", "cluster", "--wait", "60s");
    await waitForNamespace(paths, "kube-system");
    return "started";
}
