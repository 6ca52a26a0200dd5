import { existsSync, rmSync } from "node:fs";
import { Failure } from "../lib/failure";
import { tryLock } from "../lib/lock";
import { type ClusterStart, startCluster } from "./cluster";
import { startDaemon, stopDaemon } from "./daemon-control";
import { type Push, pushCheckout } from "./git-repository";
import { endProcesses, ownProcesses } from "./own-processes";
import { type SandboxPaths, sandboxPaths } from "./paths";
import { endLeftRun } from "./pulumi";
import { readSandboxSettings } from "./settings";
import { removeStackState } from "./stack-state";

/** Outcome of starting the sandbox. */
export interface SandboxStart {
    readonly paths: SandboxPaths;
    readonly cluster: ClusterStart;
    readonly daemon: "started" | "running";
    /** The push; undefined if the Pulumi program fills the repository. */
    readonly push?: Push;
}

/**
 * Runs the body while no other command starts, stops or deploys the sandbox of this checkout.
 *
 * @throws Failure when one does
 */
export async function exclusively<T>(projectRoot: string, body: () => Promise<T>): Promise<T> {
    const { lock } = sandboxPaths(projectRoot);
    const release = tryLock(lock);
    if (!release) {
        throw new Failure(
            "another `npm start` or `npm stop` is running on this sandbox: wait until it is done, then rerun this",
        );
    }
    try {
        return await body();
    } finally {
        release();
    }
}

/**
 * Starts the missing parts of a checkout's sandbox: the control plane, then Git server, chart repository, controllers
 * and Argo CD; and pushes the checkout's commit to its repository, unless that is on a Gitea. The Pulumi program is not
 * run.
 *
 * @param report called with a line for the user for each part that is ready
 * @throws Failure when a part cannot start
 */
export async function startSandbox(
    projectRoot: string,
    report: (line: string) => void = () => {},
): Promise<SandboxStart> {
    const paths = sandboxPaths(projectRoot);
    const settings = readSandboxSettings(paths.root);
    const timed = async <T>(what: (result: T) => string, body: () => Promise<T>): Promise<T> => {
        const start = Date.now();
        const result = await body();
        report(`${what(result)} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
        return result;
    };
    const cluster = await timed(
        (result) => `Cluster ${result}: 1 server, 3 agents`,
        () =>
            startCluster(projectRoot, settings).catch(async (error: unknown) => {
                // A partial cluster is useless, and the next start recreates it.
                if (!existsSync(paths.clusterMarker)) {
                    await endProcesses(paths, () => true, 0);
                }
                throw error;
            }),
    );
    const push = settings.gitea
        ? undefined
        : await timed(
              ({ revision }) => `Repository at ${revision.slice(0, 7)}`,
              () => pushCheckout(paths, settings),
          );
    for (const note of push?.notes ?? []) {
        report(note);
    }
    const daemon = await timed(
        (result) => `Git server, chart repository, controllers and Argo CD ${result}`,
        () => startDaemon(paths, settings),
    );
    return { paths, cluster, daemon, ...(push && { push }) };
}

/**
 * Ends all processes of the sandbox, and no others. The cluster's data is kept for the next start.
 *
 * @returns how many processes ended
 */
export async function stopSandbox(projectRoot: string): Promise<number> {
    const paths = sandboxPaths(projectRoot);
    const before = ownProcesses(paths).length;
    await endLeftRun(paths);
    await stopDaemon(paths);
    // etcd has a write-ahead log of everything that it acknowledges: killing loses nothing, and the API server takes
    // long to end gracefully.
    await endProcesses(paths, () => true, 2_000);
    return before;
}

/** Stops the sandbox and deletes it, with the state of its stack. */
export async function deleteSandbox(projectRoot: string): Promise<void> {
    const paths = sandboxPaths(projectRoot);
    await stopSandbox(projectRoot);
    removeStackState(paths.root);
    rmSync(paths.directory, { recursive: true, force: true });
}
