import { type Outcome, run } from "../../toolchain/run";
import { type LiveNode, MachineHome, type NodeConfig, versions } from "./home";

// A run over all machines, on a host that may be busy.
jest.setTimeout(300_000);

let home: MachineHome;

beforeAll(async () => {
    home = await MachineHome.create("s1", "a1", "a2");
});

afterAll(async () => {
    await home?.remove();
});

/** `pulumi up` that must succeed; what it printed. */
async function up(): Promise<string> {
    const { exitCode, output } = await home.stack.up();
    if (exitCode !== 0) {
        throw new Error(output);
    }
    return output;
}

const fingerprints = () => Promise.all(home.machines.map((machine) => machine.fingerprint()));

const isReady = (node: LiveNode | undefined) =>
    node?.status.conditions.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

/** The config of all nodes, with something else for one of them. */
const nodesWith = (name: string, change: Partial<NodeConfig>): NodeConfig[] =>
    home.nodes().map((node) => (node.name === name ? { ...node, ...change } : node));

/** What was told, without what Pulumi sets around it. */
const told = ({ output }: Outcome) => output.replace(/\s+/g, " ");

describe("machines that cannot become the cluster", () => {
    test("are all told of at once, in a table, and none is changed", async () => {
        const [server, agent] = [home.machine("s1"), home.machine("a2")];
        await server.run("mkdir -p /etc/rancher/k3s && echo 'token: other' > /etc/rancher/k3s/config.yaml");
        await agent.run("mv /etc/sudoers.d/admin /root/admin");
        const before = await fingerprints();
        home.configure(nodesWith("a1", { hostKey: server.hostKey }));

        const outcome = await home.stack.up();

        expect(outcome.exitCode).not.toBe(0);
        expect(told(outcome)).toMatch(
            /The nodes are not ready, and none was changed: NODE FOUND WHAT TO DO .*s1 fatal k3s of another cluster is here take this node out/,
        );
        expect(told(outcome)).toMatch(
            /a1 fatal another host key than the config has .*hack\/host-keys prints its keys/,
        );
        expect(told(outcome)).toMatch(/a2 fatal sudo wants a password, or is not there .*NOPASSWD/);
        expect(await fingerprints()).toEqual(before);

        await server.run("rm -r /etc/rancher");
        await agent.run("mv /root/admin /etc/sudoers.d/admin");
    });

    test("are not changed when the k3s that they find is not the pinned one", async () => {
        const before = await fingerprints();
        home.configure(undefined, versions[0], "0".repeat(64));

        const outcome = await home.stack.up();

        expect(outcome.exitCode).not.toBe(0);
        expect(told(outcome)).toMatch(
            /\/opt\/k3s\/v1\.35\.0\+k3s1\/k3s has the SHA-256 [0-9a-f]{64}, and provision\/k3s-release\.ts says 0{64}: nothing was installed\. Fetch the file/,
        );
        expect(await fingerprints()).toEqual(before);
    });

    test("are told of when one of them is off", async () => {
        home.configure();
        home.network.cable("a1", "down");
        const outcome = await home.stack.up();
        home.network.cable("a1", "up");

        expect(outcome.exitCode).not.toBe(0);
        expect(told(outcome)).toMatch(/a1 fatal not reachable: .* see whether it is on/);
    });
});

describe("machines with Debian", () => {
    let secrets: string[];

    test("become a cluster whose nodes are all Ready, with their labels and taints", async () => {
        home.configure(
            nodesWith("a1", { labels: { room: "attic", "hearth/disk": "ssd" }, taints: ["gpu=true:NoSchedule"] }),
        );
        const output = await up();

        const live = await home.liveNodes();
        expect([...live.keys()].sort()).toEqual(["a1", "a2", "s1"]);
        expect([...live.values()].map(isReady)).toEqual([true, true, true]);
        expect(live.get("a1")?.metadata.labels).toMatchObject({ room: "attic", "hearth/disk": "ssd" });
        expect(live.get("a1")?.spec.taints).toMatchObject([{ key: "gpu" }]);
        expect(output).toContain("[s1] changed: k3s.service runs k3s v1.35.0+k3s1");

        const kubeconfig = await home.stack.output("kubeconfig");
        const key = /client-key-data: (\S+)/.exec(kubeconfig)?.[1] ?? "";
        const tokens = ["token", "agent-token"].map(
            (name) => home.machine("s1").read(`/var/lib/rancher/k3s/server/${name}`).trim().split("::").pop() ?? "",
        );
        secrets = [key, ...tokens.map((token) => token.replace(/^\w+:/, ""))];
        expect(secrets.map(({ length }) => length >= 48)).toEqual([true, true, true]);
        // Booleans: a failure must not print what it has found.
        expect(secrets.map((secret) => output.includes(secret))).toEqual([false, false, false]);
    });

    test("let in whoever has the key, and other machines to nothing but what the home offers", async () => {
        const { address } = home.machine("s1");
        const withoutKey = [
            "-o",
            "PubkeyAuthentication=no",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
        ];
        const ssh = await run(...home.network.command("ssh", ...withoutKey, "-o", "BatchMode=yes", address));
        expect(ssh.output).toContain("Permission denied (publickey).");

        await home.machine("s1").run("systemd-run --unit=listener python3 -m http.server 9999");
        const curl = ["--silent", "--max-time", "3", `http://${address}:9999/`];
        expect((await home.machine("a1").run(`curl --retry 9 --retry-connrefused ${curl.join(" ")}`)).exitCode).toBe(0);
        const timedOut = 28;
        expect((await run(...home.network.command("curl", ...curl))).exitCode).toBe(timedOut);
        await home.machine("s1").run("systemctl stop listener");
    });

    test("are left as they are by a second run, which says so", async () => {
        const before = await fingerprints();
        expect(await up()).not.toMatch(/\[(s1|a1|a2)\]/);

        // Without what the state remembers, every script looks anew.
        await home.stack.forgetScripts();
        const output = await up();
        expect(output.match(/changed: .*/g) ?? []).toEqual([]);
        expect(new Set(output.match(/\[\w+\] unchanged/g))).toEqual(
            new Set(["[s1] unchanged", "[a1] unchanged", "[a2] unchanged"]),
        );
        expect(await fingerprints()).toEqual(before);
    });

    test("get and lose labels and taints by the config", async () => {
        home.configure(nodesWith("a1", { labels: { room: "cellar" } }));
        await up();
        const { metadata, spec } = (await home.liveNodes()).get("a1") ?? {};
        expect(metadata?.labels).toMatchObject({ room: "cellar" });
        expect(metadata?.labels).not.toHaveProperty("hearth/disk");
        expect(spec?.taints ?? []).toEqual([]);
    });

    test("are switched to another k3s one at a time, servers first, and preview tells which", async () => {
        home.configure(undefined, versions[1]);
        const { output: preview } = await home.stack.pulumi("preview");
        for (const name of ["s1", "a1", "a2"]) {
            expect(preview).toContain(`${name}-k3s-converge`);
            expect(preview).not.toContain(`${name}-baseline`);
        }
        const output = await up();

        const live = await home.liveNodes();
        expect([...live.values()].map(({ status }) => status.nodeInfo.kubeletVersion)).toEqual([
            versions[1],
            versions[1],
            versions[1],
        ]);
        expect([...live.values()].map(({ spec }) => spec.unschedulable ?? false)).toEqual([false, false, false]);
        const turns = output
            .match(/\[\w+\] (node\/\w+ (cordoned|uncordoned))/g)
            ?.filter((line, i, all) => all.indexOf(line) === i);
        expect(turns).toEqual(
            ["s1", "a1", "a2"].flatMap((name) => [
                `[${name}] node/${name} cordoned`,
                `[${name}] node/${name} uncordoned`,
            ]),
        );
    });

    test("do not show the tokens to whoever reads their processes, or Pulumi's words", async () => {
        for (const machine of home.machines) {
            const { output } = await machine.run(
                "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'; journalctl",
            );
            expect(secrets.map((secret) => output.includes(secret))).toEqual([false, false, false]);
        }
        const { output: state } = await home.stack.pulumi("stack", "export");
        expect(secrets.map((secret) => state.includes(secret))).toEqual([false, false, false]);
    });

    test("leave the cluster when they leave the config, without a trace of k3s", async () => {
        home.configure(
            home.nodes().filter(({ name }) => name !== "a2"),
            versions[1],
        );
        await up();
        expect([...(await home.liveNodes()).keys()].sort()).toEqual(["a1", "s1"]);
        for (const path of ["/etc/rancher/k3s", "/var/lib/rancher/k3s", "/usr/local/bin/k3s"]) {
            expect([path, home.machine("a2").has(path)]).toEqual([path, false]);
        }
    });

    test("come back when they are back in the config", async () => {
        home.configure(undefined, versions[1]);
        await up();
        expect([...(await home.liveNodes()).values()].map(isReady)).toEqual([true, true, true]);
    });

    test("go back to what they were before when the stack is destroyed", async () => {
        const { exitCode, output } = await home.stack.pulumi("destroy", "--yes", "--skip-preview");
        expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
        for (const machine of home.machines) {
            const found = ["/etc/rancher/k3s", "/var/lib/rancher/k3s", "/usr/local/bin/k3s"].filter((path) =>
                machine.has(path),
            );
            expect([machine.name, found]).toEqual([machine.name, []]);
        }
    });
});
