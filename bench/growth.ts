import { existsSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { formatTable } from "../hack/table";
import { runMain } from "../lib/failure";
import { runningProcesses } from "../lib/processes";
import { programOf } from "../sandbox/own-processes";
import { deleteSandbox, startSandbox } from "../sandbox/sandbox";
import { tool } from "../toolchain/tools";
import { costCell, idleCell, memoryCell } from "./cells";
import { homeOf } from "./copies";
import { measureHomes } from "./record";
import {
    addNodes,
    type Cost,
    type Idle,
    measure,
    measureIdle,
    peakMiB,
    pulumiUp,
    refreshAll,
    selectStack,
    succeed,
} from "./sandbox";

/**
 * Growth of a home: `npx tsx bench/growth.ts [numbers of Applications]`. Homes of that many small services, each a
 * renamed copy of Actual's chart, divided into tiers like this home's, in a sandbox of a copy of this checkout. Prints
 * a table and writes bench/results/growth.json; omitted numbers keep their results from an earlier run.
 */
const root = resolve(__dirname, "..");

/** Argo CD refreshes each Application every two to five minutes. */
const idleMinutes = 4;

/** Capacity for their requests. */
const servicesOfANode = 50;

interface Measured {
    readonly applications: number;
    readonly preview: Cost;
    readonly up: Cost;
    readonly unchanged: Cost;
    /** Argo CD reads, renders and compares every Application again. */
    readonly refresh: Cost;
    /** An idle minute after that. */
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
            if (name !== undefined) {
                this.largest[name] = Math.max(this.largest[name] ?? 0, peakMiB(pid));
            }
        }
    }

    /** Name of a process in the results; undefined for an unrelated one. */
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

async function measured(count: number): Promise<Measured> {
    process.stderr.write(`${count} Applications …\n`);
    // A tier of hundreds takes longer than a home's limit.
    const directory = homeOf(count, (text) => text.replace(/^config:$/m, "$&\n  hearth:tierTimeout: 60m"));
    const { paths } = await startSandbox(directory);
    const watch = new MemoryWatch(directory);
    try {
        await addNodes(paths, Math.ceil(count / servicesOfANode));
        await selectStack(directory);
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

async function main(): Promise<number> {
    const all = await measureHomes("growth", [27, 100, 300], measured);
    const rows = all.map(({ applications, preview, up, unchanged, refresh, idle, stateKiB, memoryMiB }) => [
        String(applications),
        ...[preview, up, unchanged, refresh].map(costCell),
        idleCell(idle),
        String(stateKiB),
        memoryCell(memoryMiB),
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
    return 0;
}

runMain("bench/growth.ts", main);
