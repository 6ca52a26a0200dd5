import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { until } from "../sandbox/home";

// Milliseconds for machines that start on a busy host.
jest.setTimeout(900_000);

/** Processes whose command line has each of some texts. */
function processesWith(...texts: string[]): string[] {
    return readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .filter((pid) => {
            try {
                const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
                return texts.every((text) => line.includes(text));
            } catch {
                return false;
            }
        });
}

/** Names of the network namespaces. */
const networks = () => readdirSync("/run/netns");

/** Name of the network of a machine; empty before the machine is in it. */
const networkOf = (pid: string) =>
    execFileSync("ip", ["netns", "identify", pid], { encoding: "utf8" })
        .trim()
        .replace(/-[as]\d$/, "");

describe("Ctrl-C of `npm run pods`", () => {
    let folder: string;
    let child: ChildProcess;
    let ended: Promise<number | null>;

    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "hearth-start-"));
        child = spawn(process.execPath, ["--import", "tsx", resolve(__dirname, "start.ts")], {
            env: { ...process.env, TMPDIR: folder },
            stdio: ["ignore", "pipe", "pipe"],
            // A terminal's Ctrl-C reaches all that the command has started.
            detached: true,
        });
        ended = new Promise((done) => child.once("close", done));
    });

    const interrupt = () => process.kill(-(child.pid ?? 0), "SIGINT");

    afterEach(async () => {
        if (child.exitCode === null) {
            interrupt();
            await ended;
        }
        rmSync(folder, { recursive: true });
    });

    it.each([
        ["while the machines start", /Starting three machines/],
        ["while Pulumi provisions them", /Updating \(test\)/],
    ])("%s leaves nothing", async (_, moment) => {
        let output = "";
        for (const stream of [child.stdout, child.stderr]) {
            stream?.on("data", (chunk: Buffer) => {
                output += chunk.toString();
            });
        }
        const machines = () => processesWith("--boot", folder).filter((pid) => networkOf(pid) !== "");
        await until("the moment", 800_000, async () => {
            if (child.exitCode !== null) {
                throw new Error(`it ended: ${output}`);
            }
            return moment.test(output) && machines().length > 0;
        });
        const network = networkOf(machines()[0] ?? "");
        expect(networks()).toContain(network);

        interrupt();
        expect([await ended, output]).toEqual([130, expect.stringMatching(moment)]);
        expect(readdirSync(folder).filter((name) => name.startsWith("hearth-"))).toEqual([]);
        expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(folder);
        expect(processesWith(folder)).toEqual([]);
        expect(networks().filter((name) => name.startsWith(network))).toEqual([]);
        const groups = execFileSync("find", ["/sys/fs/cgroup", "-maxdepth", "2", "-name", `${network}-*`]);
        expect(groups.toString()).toBe("");
    });
});
