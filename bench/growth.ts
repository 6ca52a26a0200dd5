import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { formatTable } from "../hack/table";
import { programOf } from "../sandbox/own-processes";
import type { SandboxPaths } from "../sandbox/paths";
import { deleteSandbox, startSandbox } from "../sandbox/sandbox";
import { runningProcesses } from "../toolchain/processes";
import { tool } from "../toolchain/tools";
import { homeOf } from "./copies";
import { measureHomes } from "./record";
import { type Cost, type Idle, measure, measureIdle, pulumiUp, succeed } from "./sandbox";

/**
 * How a home grows: `npx tsx bench/growth.ts [numbers of Applications]`. Homes of so many small services, each the chart
 * of Actual under another name, in the tiers as this home's are, in a sandbox of a copy of this checkout. Prints a table
 * and writes bench/results/growth.json; numbers that are not named keep their results of an earlier run.
 */
const root = resolve(__dirname, "..");

/** Argo CD looks at each Application anew every two to three minutes. */
const idleMinutes = 4;

interface Measured {
    readonly applications: number;
    readonly preview: Cost;
    readonly up: Cost;
    readonly unchanged: Cost;
    /** Argo CD reads, renders and compares every Application anew. */
    readonly refresh: Cost;
    /** While nobody does anything after that. */
    readonly idle: Idle;
    readonly stateKiB: number;
    /** Largest resident memory of each program, in MiB. */
    readonly memoryMiB: Readonly<Record<string, number>>;
}

/** Watches the largest resident memory of each program that works for the home. */
class MemoryWatch {
    readonly largest: Record<string, number> = {};
    private readonly timer = setInterval(() => this.look(), 500);

    constructor(private readonly directory: string) {}

    private look(): void {
        for (const { pid, commandLine } of runningProcesses()) {
            const name = this.program(commandLine);
            if (name === undefined) {
                continue;
            }
            try {
                const peak = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
                this.largest[name] = Math.max(this.largest[name] ?? 0, Math.round(Number(peak ?? 0) / 1024));
            } catch {
                // It has ended since.
            }
        }
    }

    /** What a process is called here; undefined for a stranger. */
    private program(commandLine: string): string | undefined {
        const [path = "", ...args] = commandLine.split("\0");
        if (path.startsWith(`${this.directory}/.sandbox/`)) {
            return programOf({ path });
        }
        if (
            args.some(
                (each) =>
                    each.startsWith(`${this.directory}/node_modules/@pulumi/`) ||
                    each.startsWith(join(root, "node_modules/@pulumi/")),
            )
        ) {
            return "program";
        }
        return path === tool("pulumi") ? "pulumi" : /pulumi-resource-(\w+)/.exec(commandLine)?.[0];
    }

    stop(): Record<string, number> {
        clearInterval(this.timer);
        return Object.fromEntries(Object.entries(this.largest).sort(([, a], [, b]) => b - a));
    }
}

/** Has Argo CD read, render and compare all Applications anew, and waits until it has. */
async function refreshAll(paths: SandboxPaths): Promise<void> {
    const kubectl = (...args: string[]) =>
        succeed(tool("kubectl"), ["--kubeconfig", paths.kubeconfig, "--namespace", "argocd", ...args], root);
    const annotation = "argocd.argoproj.io/refresh";
    await kubectl("annotate", "applications", "--all", "--overwrite", `${annotation}=hard`);
    const wanted = `jsonpath={range .items[*]}{.metadata.annotations.argocd\\.argoproj\\.io/refresh}{end}`;
    while ((await kubectl("get", "applications", "--output", wanted)).trim() !== "") {
        await delay(200);
    }
}

async function measured(count: number): Promise<Measured> {
    process.stderr.write(`${count} Applications …\n`);
    const directory = homeOf(count);
    const { paths } = await startSandbox(directory);
    const watch = new MemoryWatch(directory);
    try {
        await succeed("npx", ["pulumi", "stack", "select", "--create", "sandbox", "--non-interactive"], directory);
        const costs = {
            preview: await measure(paths, async () => {
                await succeed("npx", ["pulumi", "preview", "--non-interactive", "--stack", "sandbox"], directory);
            }),
            up: await measure(paths, () => pulumiUp(directory)),
            unchanged: await measure(paths, () => pulumiUp(directory)),
            refresh: await measure(paths, () => refreshAll(paths)),
            idle: await measureIdle(paths, idleMinutes),
        };
        const state = join(directory, ".state/.pulumi/stacks/hearth/sandbox.json");
        return {
            applications: count,
            ...costs,
            stateKiB: existsSync(state) ? Math.round(statSync(state).size / 1024) : 0,
            memoryMiB: watch.stop(),
        };
    } finally {
        watch.stop();
        await deleteSandbox(directory);
        rmSync(directory, { recursive: true });
    }
}

async function main(): Promise<void> {
    const all = await measureHomes("growth", [27, 100, 300], measured);
    const cost = ({ seconds, processorSeconds }: Cost) => `${seconds.toFixed(1)} (${processorSeconds.toFixed(1)})`;
    const rows = all.map(({ applications, preview, up, unchanged, refresh, idle, stateKiB, memoryMiB }) => [
        String(applications),
        ...[preview, up, unchanged, refresh].map(cost),
        idle.minutes.map((minute) => minute.toFixed(0)).join(" "),
        String(stateKiB),
        Object.entries(memoryMiB)
            .slice(0, 5)
            .map(([name, size]) => `${name} ${size}`)
            .join(", "),
    ]);
    const head = [
        "APPLICATIONS",
        "PREVIEW s (CPU)",
        "UP",
        "UNCHANGED",
        "REFRESH",
        "IDLE, BY MINUTE",
        "STATE KiB",
        "LARGEST, MiB",
    ];
    process.stdout.write(`${formatTable(head, rows)}\n`);
}

main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
});
