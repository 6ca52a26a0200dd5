import { readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type RunningProcess, runningProcesses, signal } from "../../lib/processes";
import { isPulumi, isResourcePlugin } from "./processes";

/** Milliseconds for a plugin to end gracefully. */
const grace = 3_000;

/** Working directory of a process; undefined if it cannot be read. */
function workingDirectory(pid: number): string | undefined {
    try {
        return readlinkSync(`/proc/${pid}/cwd`);
    } catch {
        return undefined;
    }
}

/** Pulumi's plugins whose engine has ended: their work has no effect on a state anymore. */
export function orphanedPlugins(processes: readonly RunningProcess[]): RunningProcess[] {
    const engines = new Set(processes.filter(isPulumi).map(({ pid }) => pid));
    return processes.filter((each) => isResourcePlugin(each) && !engines.has(each.parent));
}

/**
 * Ends the plugins that a killed run left behind in a checkout. They would run for minutes, and for instance deploy a
 * Helm release during the cleanup. On a system without /proc they are not stopped, and end by themselves.
 *
 * @param root the checkout
 * @returns their number
 */
export async function endOrphanedPlugins(root: string): Promise<number> {
    const find = () => orphanedPlugins([...runningProcesses()]).filter(({ pid }) => workingDirectory(pid) === root);
    const found = find();
    for (const each of found) {
        signal(each.pid, "SIGTERM");
    }
    for (const end = Date.now() + grace; find().length > 0; await delay(50)) {
        if (Date.now() > end) {
            for (const each of find()) {
                signal(each.pid, "SIGKILL");
            }
        }
    }
    return found.length;
}
