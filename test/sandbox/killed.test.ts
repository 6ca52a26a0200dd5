import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { runningProcesses } from "../../lib/processes";
import { Home, until } from "./home";
import { startAndCut } from "./killed-run";

/** Milliseconds; a fresh cluster takes minutes on two cores. */
const limit = 10 * 60_000;

let home: Home;

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "qbittorrent");
    await home.commit("a small home");
}, limit);

afterAll(async () => home.remove(), limit);

/** Reports whether the state has a Release that Pulumi has started and not completed. */
function isInstalling(): boolean {
    const file = join(home.root, ".state/.pulumi/stacks/hearth/sandbox.json");
    const pending = existsSync(file) ? readFileSync(file, "utf8").split('"pending_operations"')[1] : undefined;
    return pending?.includes("kubernetes:helm.sh/v3:Release") ?? false;
}

test(
    "a control plane whose controller manager ends at its start, as on a slow machine, is completed",
    async () => {
        const managers = () =>
            [...runningProcesses()].filter(
                ({ commandLine }) =>
                    commandLine.startsWith(`${home.root}/.sandbox/`) &&
                    /kube-controller-manager\0.*--kubeconfig=/.test(commandLine),
            );
        const starting = home.startCluster();
        await until("the controller manager runs", limit, async () => managers().length > 0);
        const [ended] = managers();
        process.kill(ended?.pid ?? 0, "SIGKILL");
        await starting;

        expect(managers()).toHaveLength(1);
        expect(managers()).not.toContainEqual(ended);
    },
    limit,
);

test(
    "`npm start` completes a run that was killed while it installed Helm releases and wrote its state",
    async () => {
        await startAndCut(home, {
            signal: "SIGKILL",
            victim: "its Pulumi",
            when: isInstalling,
        });
        // The state that Pulumi would have left a moment later.
        writeFileSync(join(home.root, ".state/.pulumi/stacks/hearth/sandbox.json.attrs"), "");

        const { code, output } = await home.start();

        expect({ code, output }).toHaveEndedWith(0);
        expect(output).toMatch(/Removed: .*sandbox\.json\.attrs, which was truncated/);
        expect(output).toMatch(/Lock removed: its run .* has ended/);
        expect(output).toMatch(/Forgotten: creating .*Release \S+, which was interrupted/);
        expect(output).not.toMatch(/pending operations/);
    },
    limit,
);

test(
    "one Ctrl-C ends a run that waits for an unhealthy Application, and leaves no lock",
    async () => {
        home.write(
            "charts/qbittorrent/templates/broken.yaml",
            "apiVersion: v1\nkind: NoSuchKind\nmetadata: { name: a }\n",
        );
        await home.commit("what no cluster takes");

        const { output } = await startAndCut(home, {
            signal: "SIGINT",
            victim: "npm start",
            when: (text) => /Application qbittorrent updating .*Waiting for/.test(text),
        });

        expect(output).toContain("^C received; cancelling");
        expect(await home.hack("recover", "--stack", "sandbox")).toEqual({
            code: 0,
            output: "Nothing blocks `npx pulumi up --stack sandbox`\n",
        });
    },
    limit,
);

test(
    "hack/recover does not interfere with a run in progress",
    async () => {
        const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { argv0: "pulumi" });
        const locks = join(home.root, ".state/.pulumi/locks/organization/hearth/sandbox");
        try {
            await new Promise((started, failed) => other.once("spawn", started).once("error", failed));
            const holder = {
                pid: other.pid,
                username: "somebody",
                hostname: hostname(),
                timestamp: "2026-11-23T12:00:00Z",
            };
            mkdirSync(locks, { recursive: true });
            writeFileSync(join(locks, "4711.json"), JSON.stringify(holder));

            for (const refused of [await home.start(), await home.hack("recover", "--stack", "sandbox")]) {
                expect(refused.code).toBe(1);
                expect(refused.output).toContain(
                    `Pulumi (process ${other.pid} of somebody, since 2026-11-23T12:00:00Z)`,
                );
            }
        } finally {
            other.kill("SIGKILL");
            rmSync(locks, { recursive: true, force: true });
        }
    },
    limit,
);
