import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { SandboxPaths } from "./paths";

/** A running process that the sandbox started. */
export interface OwnProcess {
    readonly pid: number;
    /** The path that it was started by, under .sandbox/. */
    readonly path: string;
}

function* everyCommandLine(): Generator<{ pid: number; commandLine: string }> {
    if (process.platform === "linux") {
        for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
            try {
                yield { pid: Number(entry), commandLine: readFileSync(`/proc/${entry}/cmdline`, "utf8") };
            } catch {
                // It ended while the list was read.
            }
        }
        return;
    }
    const { stdout } = spawnSync("ps", ["-axww", "-o", "pid=,command="], { encoding: "utf8" });
    for (const line of stdout.split("\n")) {
        const match = line.match(/^\s*(\d+) (.*)$/);
        if (match) {
            yield { pid: Number(match[1]), commandLine: match[2] ?? "" };
        }
    }
}

/** The command line of a running process, its parts in one text; undefined when there is no such process. */
export function commandLineOf(pid: number): string | undefined {
    return [...everyCommandLine()].find((each) => each.pid === pid)?.commandLine.replaceAll("\0", " ");
}

/**
 * The sandbox's processes, as they are: known by the path they were started by, which no other program has. A list in a
 * file could be lost, cut short, or name a number that has since been given to a stranger.
 */
export function ownProcesses({ directory }: SandboxPaths): OwnProcess[] {
    const prefix = `${directory}/`;
    return [...everyCommandLine()]
        .filter(({ pid, commandLine }) => pid !== process.pid && commandLine.startsWith(prefix))
        .map(({ pid, commandLine }) => ({ pid, path: commandLine.split(/\0| -/, 1)[0] ?? "" }));
}

function signal({ pid }: OwnProcess, name: "SIGTERM" | "SIGKILL"): void {
    try {
        process.kill(pid, name);
    } catch {
        // It ended by itself.
    }
}

/**
 * Ends processes of the sandbox: asks first, and insists after the limit.
 *
 * @param which of them; all when not given
 * @param limit milliseconds to end in peace
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
                signal(each, "SIGKILL");
            } else if (!asked.has(each.pid)) {
                signal(each, "SIGTERM");
            }
            asked.add(each.pid);
        }
    }
}
