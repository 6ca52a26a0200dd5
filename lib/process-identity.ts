import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * Identity of a process, to detect a later one with the same number: the time of its start.
 *
 * @returns undefined when no such process runs
 */
export function processIdentity(pid: number): string | undefined {
    if (process.platform === "linux") {
        try {
            // The name in field 2 may hold spaces and parentheses; the start time is field 22, in ticks since boot.
            const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
            const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
            const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
            return fields[0] === "Z" ? undefined : `${boot}/${fields[19]}`;
        } catch {
            return undefined;
        }
    }
    const { stdout, status } = spawnSync("ps", ["-p", String(pid), "-o", "lstart="], { encoding: "utf8" });
    return status === 0 && stdout.trim() ? stdout.trim() : undefined;
}
