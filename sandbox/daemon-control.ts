import { spawn } from "node:child_process";
import { mkdirSync, openSync, readdirSync, renameSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { Failure } from "../lib/failure";
import { root } from "../lib/root";
import { throwIfInterrupted } from "../lib/run";
import { daemonFingerprint } from "./fingerprint";
import { endProcesses } from "./own-processes";
import type { SandboxPaths } from "./paths";
import type { SandboxSettings } from "./settings";

/** Answer of the daemon's chart repository to GET /healthz. */
export interface DaemonHealth {
    /** The .sandbox folder that it serves. */
    readonly directory: string;
    /** Fingerprint of its sources. */
    readonly fingerprint: string;
}

/** Report of the daemon to the command that starts it. */
export type DaemonMessage = { readonly ready: true } | { readonly failure: string };

/** The name by which the daemon is recognized as the sandbox's own. */
const daemonName = "hearth-sandbox";
/** Milliseconds for the daemon to be ready; the first time it packages the charts. */
const readyLimit = 120_000;
/** Bytes after which a log is set aside. */
const longLog = 20_000_000;

async function isCurrent(paths: SandboxPaths, { chartsPort }: SandboxSettings, fingerprint: string): Promise<boolean> {
    try {
        const response = await fetch(`http://127.0.0.1:${chartsPort}/healthz`, { signal: AbortSignal.timeout(2_000) });
        const health = (await response.json()) as DaemonHealth;
        return health.directory === paths.directory && health.fingerprint === fingerprint;
    } catch {
        return false;
    }
}

/** Ends the daemon, and the processes that a killed daemon left behind. The control plane keeps running. */
export async function stopDaemon(paths: SandboxPaths): Promise<void> {
    const notControlPlane = ({ path }: { path: string }) => !path.startsWith(`${paths.kwok}/`);
    // It ends its own processes, in order; the rest has no parent to wait for.
    await endProcesses(paths, ({ path }) => basename(path) === daemonName, 12_000);
    await endProcesses(paths, notControlPlane);
}

/** Keeps the logs from filling the disk: one long file before the current one. */
function setAsideLongLogs(directory: string): void {
    mkdirSync(directory, { recursive: true });
    for (const name of readdirSync(directory).filter((each) => each.endsWith(".log"))) {
        const file = join(directory, name);
        if (statSync(file).size > longLog) {
            renameSync(file, `${file}.old`);
        }
    }
}

/**
 * Starts the daemon, or finds it running. One that was started from other code or settings is replaced.
 *
 * @throws Failure when it does not start, with its own message
 */
export async function startDaemon(paths: SandboxPaths, settings: SandboxSettings): Promise<"started" | "running"> {
    const fingerprint = daemonFingerprint(paths);
    if (await isCurrent(paths, settings, fingerprint)) {
        return "running";
    }
    await stopDaemon(paths);
    throwIfInterrupted();
    setAsideLongLogs(paths.logs);
    const logFile = join(paths.logs, "daemon.log");
    const output = openSync(logFile, "a");
    const child = spawn(
        process.execPath,
        [join(root, "dist/daemon.cjs"), paths.root, fingerprint],
        // A separate session: Ctrl-C and a closed terminal do not reach it.
        {
            argv0: join(paths.bin, daemonName),
            cwd: paths.root,
            detached: true,
            stdio: ["ignore", output, output, "ipc"],
        },
    );
    try {
        await new Promise<void>((resolve, reject) => {
            const fail = (why: string) => reject(new Failure(why));
            const timer = setTimeout(
                () =>
                    fail(`the sandbox's background process is not ready after ${readyLimit / 1000} s: see ${logFile}`),
                readyLimit,
            );
            child.once("error", (error) => fail(error.message));
            child.once("exit", (code) => fail(`the sandbox's background process ended (${code}): see ${logFile}`));
            child.once("message", (message: DaemonMessage) => {
                clearTimeout(timer);
                return "ready" in message ? resolve() : fail(message.failure);
            });
        });
    } catch (error) {
        await stopDaemon(paths);
        throw error;
    }
    child.unref();
    return "started";
}
