import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Failure, runMain } from "../lib/failure";
import { machine, results } from "./record";

/**
 * Time and disk space that `npm start` takes on a machine with only Node, Go and Git: `npx tsx bench/cold.ts`, or `npx
 * tsx bench/cold.ts test` for `npm test`. It clones the last commit into an empty home folder, which gets all downloads
 * and builds of npm, Go, Pulumi and the toolchain. Writes bench/results/cold.json.
 */
const root = resolve(__dirname, "..");

interface Measured {
    readonly command: string;
    readonly seconds: number;
    /** Of all processes that the command waited for. */
    readonly processorSeconds: number;
    readonly peakGB: number;
    readonly keptGB: number;
    /** Seconds of each step of the setup. */
    readonly steps: Readonly<Record<string, number>>;
}

/** Gigabytes on the disk; files may vanish while they are counted. */
function gigabytes(folder: string): number {
    const count = 'du --summarize --block-size=1 "$1" 2> /dev/null || true';
    return Number(execFileSync("sh", ["-c", count, "sh", folder], { encoding: "utf8" }).split("\t")[0]) / 1e9;
}

/** Processor seconds of the children, in the output of the shell's `times`. */
function processorSeconds(times: string): number {
    const spent = [...(times.trim().split("\n").pop() ?? "").matchAll(/(\d+)m([\d.]+)s/g)];
    return spent.reduce((sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds), 0);
}

async function measure(command: string, home: string): Promise<Measured> {
    const clone = join(home, "hearth");
    execFileSync("git", ["clone", "--quiet", root, clone]);
    const times = join(home, "times");
    const before = gigabytes(home);
    let peakGB = before;
    const sampling = setInterval(() => {
        peakGB = Math.max(peakGB, gigabytes(home));
    }, 10_000);
    let progress = "";
    const start = Date.now();
    const exitCode = await new Promise<number | null>((done, fail) => {
        const script = `${command}; code=$?; times > "$1"; exit $code`;
        const child = spawn("bash", ["-c", script, "bash", times], {
            cwd: clone,
            // Excludes caches and settings of the user's home folder.
            env: { PATH: process.env["PATH"], HOME: home, USER: process.env["USER"], TERM: "dumb" },
            stdio: ["ignore", "inherit", "pipe"],
        });
        child.stderr.on("data", (chunk) => {
            process.stderr.write(chunk);
            progress += chunk;
        });
        child.once("error", fail);
        child.once("exit", done);
    });
    const seconds = (Date.now() - start) / 1000;
    clearInterval(sampling);
    if (exitCode !== 0) {
        throw new Failure(`${command} exited with ${exitCode} after ${seconds.toFixed(0)} s`);
    }
    return {
        command,
        seconds,
        processorSeconds: processorSeconds(readFileSync(times, "utf8")),
        peakGB,
        keptGB: gigabytes(home) - gigabytes(join(clone, ".sandbox")),
        steps: Object.fromEntries(
            [...progress.matchAll(/^\[\d+\/\d+\] (.+?) {2}done in (\d+) s$/gm)].map(([, title, taken]) => [
                title,
                Number(taken),
            ]),
        ),
    };
}

async function main(): Promise<number> {
    const command = process.argv.includes("test") ? "npm test" : "npm start";
    const home = mkdtempSync(join(tmpdir(), "hearth-cold-"));
    try {
        const measured = await measure(command, home);
        const file = join(results, "cold.json");
        const former: Measured[] = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).measured : [];
        const all = [...former.filter((each) => each.command !== command), measured];
        writeFileSync(file, `${JSON.stringify({ ...machine(), measured: all }, null, 2)}\n`);
        console.log(measured);
        return 0;
    } finally {
        execFileSync("npm", ["stop", "--", "--delete"], {
            cwd: join(home, "hearth"),
            env: { ...process.env, HOME: home },
        });
        rmSync(home, { recursive: true, force: true });
    }
}

runMain("bench/cold.ts", main);
