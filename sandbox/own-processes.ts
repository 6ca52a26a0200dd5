import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { runningProcesses, signal } from "../lib/processes";
import type { SandboxPaths } from "./paths";

/** A running process that the sandbox started. */
export interface OwnProcess {
    readonly pid: number;
    /** The path that it was started by, under .sandbox/. */
    readonly path: string;
}

/** Name of the program that a process runs: Redis adds its address. */
export const programOf = ({ path }: Pick<OwnProcess, "path">) => basename(path).split(" ", 1)[0] ?? "";

/**
 * The sandbox's processes, recognized by the path they were started by, which no other program has. A list in a file
 * could be lost, truncated, or contain a number that has since been reused.
 */
export function ownProcesses({ directory }: SandboxPaths): OwnProcess[] {
    const prefix = `${directory}/`;
    return [...runningProcesses()]
        .filter(({ pid, commandLine }) => pid !== process.pid && commandLine.startsWith(prefix))
        .map(({ pid, commandLine }) => ({ pid, path: commandLine.split(/\0| -/, 1)[0] ?? "" }));
}

/**
 * Ends processes of the sandbox: gracefully first, then by force after the limit.
 *
 * @param which of them; all by default
 * @param limit milliseconds to end gracefully
 * @returns how many there were
 */
export async function endProcesses(
    paths: SandboxPaths,
    which: (each: OwnProcess) => boolean = () => true,
    limit = 5_000,
): Promise<number> {
    const find = () => ownProcesses(paths).filter(which);
    const asked = new Set<number>();
    for (const deadline = Date.now() + limit; ; await delay(50)) {
        const left = find();
        if (left.length === 0) {
            return asked.size;
        }
        for (const each of left) {
            if (Date.now() > deadline) {
                signal(each.pid, "SIGKILL");
            } else if (!asked.has(each.pid)) {
                signal(each.pid, "SIGTERM");
            }
            asked.add(each.pid);
        }
    }
}
