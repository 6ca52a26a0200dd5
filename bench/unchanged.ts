import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { formatTable } from "../hack/table";
import { Failure, runMain } from "../lib/failure";
import { machine, results } from "./record";

/**
 * `pulumi up` and `pulumi preview` with nothing changed, beside a program without resources: `npx tsx bench/unchanged.ts
 * [rounds]`, on this checkout's sandbox, which `npm start` leaves as it has to be. Each round runs all of them in turn, so
 * that a ratio compares runs of the same minute. Prints a table and writes bench/results/unchanged.json.
 */
const root = resolve(__dirname, "..");
const rounds = Number(process.argv[2] ?? 5);

/** Wall clock and processor time of one run of Pulumi, with all that it starts. */
interface Run {
    readonly seconds: number;
    readonly processorSeconds: number;
}

/** Runs Pulumi in a project. @throws Failure with its output when it fails, or finds something to change */
function pulumi(cwd: string, ...args: string[]): Run {
    const start = process.hrtime.bigint();
    const { status, stdout, stderr } = spawnSync(
        "bash",
        ["-c", 'TIMEFORMAT="%U %S"; time npx pulumi "$@" 2>&1', "bash", ...args],
        {
            cwd,
            encoding: "utf8",
            env: { ...process.env, PULUMI_CONFIG_PASSPHRASE: "sandbox", PULUMI_SKIP_UPDATE_CHECK: "true" },
        },
    );
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    if (status !== 0) {
        throw new Failure(`pulumi ${args.join(" ")} exited with ${status}:\n${stdout}`);
    }
    const [user = 0, system = 0] = (stderr.trim().split("\n").pop() ?? "").split(" ").map(Number);
    return { seconds, processorSeconds: user + system };
}

/** A project next to the sandbox's with an empty program: the lower limit of every `pulumi up`. */
function emptyProject(): string {
    const directory = join(root, ".sandbox/empty-program");
    mkdirSync(join(directory, ".state"), { recursive: true });
    writeFileSync(
        join(directory, "Pulumi.yaml"),
        "name: empty\nruntime: { name: nodejs, options: { typescript: false } }\nbackend: { url: file://./.state }\n",
    );
    writeFileSync(join(directory, "package.json"), '{"main":"index.js"}\n');
    writeFileSync(join(directory, "index.js"), 'require("@pulumi/pulumi");\n');
    return directory;
}

function median(values: readonly number[]): number {
    const sorted = values.toSorted((a, b) => a - b);
    const middle = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
    return middle.reduce((sum: number, each) => sum + (each ?? Number.NaN), 0) / 2;
}

async function main(): Promise<number> {
    const empty = emptyProject();
    const stack = ["--stack", "sandbox", "--non-interactive"];
    const up = ["up", "--yes", "--skip-preview", "--parallel", "64", ...stack];
    const ways: Readonly<Record<string, () => Run>> = {
        "up, empty program": () => pulumi(empty, ...up),
        up: () => pulumi(root, ...up, "--expect-no-changes"),
        "preview, empty program": () => pulumi(empty, "preview", ...stack),
        preview: () => pulumi(root, "preview", ...stack, "--expect-no-changes"),
    };
    pulumi(empty, "stack", "select", "--create", "sandbox", "--non-interactive");
    // The first run of each loads files that the next ones find in memory.
    for (const run of Object.values(ways)) {
        run();
    }
    const runs = Object.fromEntries(Object.keys(ways).map((way): [string, Run[]] => [way, []]));
    for (let round = 1; round <= rounds; round++) {
        for (const [way, run] of Object.entries(ways)) {
            runs[way]?.push(run());
        }
        process.stderr.write(`round ${round} of ${rounds}\n`);
    }
    const ratios = Object.fromEntries(
        ["up", "preview"].map((way) => {
            const floor = runs[`${way}, empty program`] ?? [];
            const each = (field: keyof Run) =>
                (runs[way] ?? []).map((run, round) => run[field] / (floor[round]?.[field] ?? Number.NaN));
            return [way, { seconds: median(each("seconds")), processorSeconds: median(each("processorSeconds")) }];
        }),
    );
    writeFileSync(join(results, "unchanged.json"), `${JSON.stringify({ ...machine(), ratios, runs }, null, 2)}\n`);
    console.log(
        formatTable(
            ["", "SECONDS", "PROCESSOR SECONDS", "TIMES THE EMPTY PROGRAM", "BY PROCESSOR SECONDS"],
            Object.entries(runs).map(([way, each]) => [
                way,
                median(each.map(({ seconds }) => seconds)).toFixed(2),
                median(each.map(({ processorSeconds }) => processorSeconds)).toFixed(2),
                ratios[way]?.seconds.toFixed(2) ?? "",
                ratios[way]?.processorSeconds.toFixed(2) ?? "",
            ]),
        ),
    );
    return 0;
}

runMain("bench/unchanged.ts", main);
