import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Failure } from "../../lib/failure";
import { type RunningProcess, runningProcesses } from "../../lib/processes";
import { isPulumi } from "./processes";

/** A lock of Pulumi's file backend: the run that works on a stack, or did when it was killed. */
export interface StackLock {
    /** Path of the lock. */
    readonly file: string;
    /** Content that the run wrote; undefined if it cannot be read. */
    readonly holder:
        | {
              readonly pid: number;
              readonly username: string;
              readonly hostname: string;
              /** RFC 3339. */
              readonly timestamp: string;
          }
        | undefined;
}

/** The locks on a stack in a file backend's folder. */
export function readLocks(folder: string, project: string, stack: string): StackLock[] {
    const locks = join(folder, ".pulumi/locks/organization", project, stack);
    if (!existsSync(locks)) {
        return [];
    }
    return readdirSync(locks)
        .filter((name) => name.endsWith(".json"))
        .map((name) => {
            const file = join(locks, name);
            try {
                return { file, holder: JSON.parse(readFileSync(file, "utf8")) };
            } catch {
                return { file, holder: undefined };
            }
        });
}

/**
 * Reports whether the run that took a lock may still be running. A Pulumi with the lock's process number counts as that
 * run: clocks can be set, so times cannot distinguish a later one with the same number.
 *
 * @param machine this machine's name, and its processes
 */
export function judgeLock(
    { holder }: StackLock,
    machine: { readonly hostname: string; readonly processes: readonly RunningProcess[] },
): "dead" | "live" | "elsewhere" {
    if (holder === undefined) {
        // Pulumi writes a lock to a temporary file and renames it: a partial lock is left by a crash of the machine.
        return "dead";
    }
    if (holder.hostname !== machine.hostname) {
        return "elsewhere";
    }
    return machine.processes.some((each) => each.pid === holder.pid && isPulumi(each)) ? "live" : "dead";
}

/**
 * Removes the locks that killed runs left on a stack.
 *
 * @param report called with a line for each
 * @returns their number @throws Failure when a run is in progress, or may be on another machine; nothing is removed
 * then
 */
export function releaseDeadLocks(locks: readonly StackLock[], stack: string, report: (line: string) => void): number {
    const machine = { hostname: hostname(), processes: [...runningProcesses()] };
    const judged = locks.map((lock) => ({ ...lock, verdict: judgeLock(lock, machine) }));
    for (const { holder, verdict } of judged) {
        if (holder && verdict === "live") {
            throw new Failure(
                `Pulumi (process ${holder.pid} of ${holder.username}, since ${holder.timestamp}) is running on stack ` +
                    `${stack}: wait until it is done, then rerun this`,
            );
        }
        if (holder && verdict === "elsewhere") {
            throw new Failure(
                `stack ${stack} is locked by ${holder.username} on ${holder.hostname} (process ${holder.pid}, since ` +
                    `${holder.timestamp}), and this machine cannot see whether that run has ended. Check there; if it ` +
                    `has ended, run this on ${holder.hostname}, or free the stack with ` +
                    `\`npx pulumi cancel --stack ${stack}\``,
            );
        }
    }
    for (const { file, holder } of judged) {
        rmSync(file, { force: true });
        rmSync(`${file}.attrs`, { force: true });
        report(
            holder
                ? `Lock removed: its run (process ${holder.pid} of ${holder.username}, since ${holder.timestamp}) has ended`
                : "Lock removed: it was truncated when it was written",
        );
    }
    return judged.length;
}
