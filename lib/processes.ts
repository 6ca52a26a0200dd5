import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** A process of this machine. */
export interface RunningProcess {
    readonly pid: number;
    /** Its parent process; another one once that has ended. */
    readonly parent: number;
    /** Its program and arguments, each ended by a zero byte, or by a space on systems without that. */
    readonly commandLine: string;
}

/** Every process of this machine that this user may see, except zombies. */
export function* runningProcesses(): Generator<RunningProcess> {
    if (process.platform === "linux") {
        for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
            try {
                const commandLine = readFileSync(`/proc/${entry}/cmdline`, "utf8");
                const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
                // The name in field 2 may hold spaces and parentheses; the parent is field 4.
                const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
                if (state !== "Z") {
                    yield { pid: Number(entry), parent: Number(parent), commandLine };
                }
            } catch {
                // It ended while the list was read.
            }
        }
        return;
    }
    const { stdout } = spawnSync("ps", ["-axww", "-o", "pid=,ppid=,command="], { encoding: "utf8" });
    for (const line of stdout.split("\n")) {
        const [, pid, parent, commandLine = ""] = line.match(/^\s*(\d+)\s+(\d+)\s+(.*)$/) ?? [];
        if (pid !== undefined) {
            yield { pid: Number(pid), parent: Number(parent), commandLine };
        }
    }
}

/** The command line of a running process as one string; undefined when there is no such process. */
export function commandLineOf(pid: number): string | undefined {
    return [...runningProcesses()].find((each) => each.pid === pid)?.commandLine.replaceAll("\0", " ");
}

/** Sends a signal to a process. Does nothing if the process has already ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
    try {
        process.kill(pid, name);
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") {
            throw error;
        }
    }
}
