import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runMain } from "../lib/failure";
import { machine, results } from "./record";

/**
 * Cost of `npm start`: `npx tsx bench/start.ts`. It deletes the sandbox of this checkout, recreates it, starts it again
 * with nothing changed, and runs `pulumi up` by hand with one secret changed. Prints a table and writes
 * bench/results/start.json.
 */
const root = resolve(__dirname, "..");

interface Measured {
    readonly what: string;
    readonly seconds: number;
    /** Largest sum of resident memory of all processes of this checkout's sandbox and of Pulumi, in MiB. */
    readonly peakMiB: number;
}

/** Resident memory in MiB of every process whose command line names this checkout, the cache of tools or Pulumi. */
function residentMiB(): number {
    let total = 0;
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        try {
            const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
            if (command.includes(root) || command.includes("pulumi") || command.includes("hearth")) {
                const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
                total += Number(kib ?? 0) / 1024;
            }
        } catch {
            // The process has ended since.
        }
    }
    return total;
}

async function measure(what: string, command: string, args: string[]): Promise<Measured> {
    process.stderr.write(`${what} …\n`);
    const start = process.hrtime.bigint();
    let peakMiB = 0;
    const sampling = setInterval(() => {
        peakMiB = Math.max(peakMiB, residentMiB());
    }, 250);
    const output: string[] = [];
    const code = await new Promise<number | null>((done, fail) => {
        const child = spawn(command, args, {
            cwd: root,
            env: { ...process.env, PULUMI_CONFIG_PASSPHRASE: "sandbox", PULUMI_SKIP_UPDATE_CHECK: "true" },
            stdio: ["ignore", "pipe", "pipe"],
        });
        child.stdout.on("data", (chunk: Buffer) => output.push(chunk.toString()));
        child.stderr.on("data", (chunk: Buffer) => output.push(chunk.toString()));
        child.once("error", fail);
        child.once("exit", done);
    });
    clearInterval(sampling);
    if (code !== 0) {
        throw new Error(`${what} exited with ${code}:\n${output.join("")}`);
    }
    return { what, seconds: Number(process.hrtime.bigint() - start) / 1e9, peakMiB };
}

/** Changes a secret for the duration of the operation. */
async function withAnotherSecret<T>(work: () => Promise<T>): Promise<T> {
    const stackFile = join(root, "Pulumi.sandbox.yaml");
    const before = readFileSync(stackFile);
    try {
        const set = ["config", "set", "--stack", "sandbox", "--secret", "--path"];
        const secret = ["hearth:secrets.qbittorrent.vpn-private-key", "of-the-benchmark"];
        await measure("a secret's value", "npx", ["pulumi", ...set, ...secret]);
        return await work();
    } finally {
        writeFileSync(stackFile, before);
    }
}

async function main(): Promise<number> {
    const npm = (...args: string[]): [string, string[]] => ["npm", ["run", "--silent", ...args]];
    const up = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--parallel", "64", "--stack"];
    await measure("npm stop -- --delete", ...npm("stop", "--", "--delete"));
    const measured = [
        await measure("npm start, tools built, no cluster: until all Applications are Healthy", ...npm("start")),
        await measure("npm start, nothing changed", ...npm("start")),
        await withAnotherSecret(() =>
            measure("pulumi up by hand, one secret changed: until its service runs with it", "npx", [...up, "sandbox"]),
        ),
    ];
    await measure("the previous secret", "npx", [...up, "sandbox"]);

    const here = machine();
    writeFileSync(join(results, "start.json"), `${JSON.stringify({ ...here, measured }, null, 2)}\n`);
    console.log(`${here.machine}, Node ${here.node}, ${here.date}`);
    console.log("seconds  peak MiB");
    for (const { what, seconds, peakMiB } of measured) {
        console.log(`${seconds.toFixed(1).padStart(7)}  ${peakMiB.toFixed(0).padStart(8)}  ${what}`);
    }
    return 0;
}

runMain("bench/start.ts", main);
