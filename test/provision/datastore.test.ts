import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../lib/root";
import { until } from "../sandbox/home";
import { MachineHome, printed } from "./home";

// Machines that start, and several runs over them, on a host that may be busy.
jest.setTimeout(1_800_000);

let home: MachineHome;

afterEach(async () => {
    await home?.remove();
});

const up = (...args: string[]) => printed(home.stack.pulumi("up", "--yes", "--skip-preview", ...args));

/** Commands of a page's section that are typed on servers: its indented lines. */
function commandsOf(page: string, title: string): string[] {
    const text = readFileSync(join(root, page), "utf8");
    const section = text.split(/^#+ /m).find((each) => each.startsWith(`${title}\n`)) ?? "";
    return [...section.matchAll(/^ {4}(\S.*)$/gm)].map(([, line = ""]) => line);
}

/** Commands of docs/restore.md for the first server, and for each other one. */
function commandsToRestore(): { readonly first: string[]; readonly others: string[] } {
    const commands = commandsOf("docs/restore.md", "The datastore");
    expect(commands[3]).toBe("systemctl stop k3s");
    return { first: commands.slice(0, 3), others: commands.slice(3) };
}

/** Types lines on a machine, with the name of the snapshot for NAME. */
async function type(machine: string, lines: readonly string[], snapshot = ""): Promise<string> {
    const commands = lines.join(" && ").replaceAll("NAME", snapshot);
    return printed(home.machine(machine).run(`${commands} || { journalctl --unit=k3s --lines=30; false; }`));
}

/** Takes a snapshot on a server. Its name. */
async function takeSnapshot(server: string): Promise<string> {
    const output = await printed(home.machine(server).run("k3s etcd-snapshot save"));
    return /Snapshot (\S+) saved/.exec(output)?.[1] ?? "";
}

const configMaps = async () =>
    (await printed(home.kubectl("get", "configmaps", "--output=name"))).split("\n").filter(Boolean).sort();

/** Waits until the API has these nodes and no other, all of them Ready. */
async function untilReady(...names: string[]): Promise<void> {
    await until(`${names.join(", ")} are Ready`, 180_000, async () => {
        const { exitCode, output } = await home.kubectl("get", "nodes", "--no-headers");
        const lines = output.trim().split("\n").sort();
        return (
            exitCode === 0 &&
            lines.map((line) => line.split(/\s+/).slice(0, 2).join(" ")).join() ===
                names.map((name) => `${name} Ready`).join()
        );
    });
}

test("a new server in place of the only one gets the cluster's data, keys and agents from a snapshot", async () => {
    home = await MachineHome.create("s1", "a1");
    home.configure();
    await up();
    await printed(home.kubectl("create", "configmap", "before"));
    const authority = async () => /certificate-authority-data: (\S+)/.exec(await home.stack.output("kubeconfig"))?.[1];
    const before = await authority();
    const snapshots = "/var/lib/rancher/k3s/server/db/snapshots";
    const snapshot = await takeSnapshot("s1");
    const { output: copy } = await home.machine("s1").run(`base64 -w0 ${snapshots}/${snapshot}`);

    await home.machine("s1").reinstall();
    home.configure(home.nodes().map((node) => ({ ...node, offline: node.name === "a1" })));
    await up("--target", "**hearth:provision:Nodes**");
    expect(await authority()).not.toBe(before);
    home.machine("s1").write(`${snapshots}/${snapshot}.base64`, copy);
    await printed(home.machine("s1").run(`cd ${snapshots} && base64 -d ${snapshot}.base64 >${snapshot}`));
    expect(await type("s1", commandsToRestore().first, snapshot)).toContain(
        "Managed etcd cluster membership has been reset",
    );

    await printed(home.stack.hack("recover"));
    home.configure();
    await up();
    expect(await authority()).toBe(before);
    expect(await configMaps()).toEqual(["configmap/before"]);
    await untilReady("a1", "s1");
});

test("three servers get the data of a snapshot, and are one cluster again", async () => {
    home = await MachineHome.create("s1", "s2", "s3");
    home.api = { address: "10.77.0.9", virtual: true };
    home.configure();
    await up();
    await printed(home.kubectl("create", "configmap", "before"));
    const snapshot = await takeSnapshot("s1");
    await printed(home.kubectl("create", "configmap", "after"));

    const { first, others } = commandsToRestore();
    const stop = ["systemctl stop k3s"];
    await Promise.all(["s1", "s2", "s3"].map((name) => type(name, stop)));
    expect(await type("s1", first, snapshot)).toContain("Managed etcd cluster membership has been reset");
    await type("s2", others);
    await type("s3", others);

    await untilReady("s1", "s2", "s3");
    expect(await configMaps()).toEqual(["configmap/before"]);
    // Each has a copy: any two of them are enough.
    await home.machine("s1").powerOff();
    await until("the API answers without s1", 120_000, async () => {
        const { exitCode, output } = await home.kubectl("get", "configmaps", "--request-timeout=5s");
        return exitCode === 0 && output.includes("before");
    });
});

test("the only server gets another address, and keeps its data and agents", async () => {
    home = await MachineHome.create("s1", "a1");
    home.configure();
    await up();
    await printed(home.kubectl("create", "configmap", "before"));
    const [before, after] = [home.machine("s1").address, "10.77.0.31"];
    const on = (command: string) => home.machine("s1").run(command);
    await printed(on(`ip address flush dev eth0 && ip address add ${after}/24 dev eth0`));
    await printed(on(`ip route replace default via ${home.network.address}`));
    await printed(on(`sed -i 's/${before}/${after}/' /etc/rancher/k3s/config.yaml`));
    expect((await on("systemctl restart k3s")).exitCode).not.toBe(0);
    expect((await on("journalctl --unit=k3s")).output).toContain("is a not a member of the etcd cluster");

    expect(await type("s1", commandsOf("docs/nodes.md", "A server's address"))).toContain("has been reset");
    home.configure(home.nodes().map((node) => (node.name === "s1" ? { ...node, address: after } : node)));
    await up();

    await untilReady("a1", "s1");
    expect(await configMaps()).toEqual(["configmap/before"]);
    expect(home.machine("a1").read("/etc/rancher/k3s/config.yaml")).toContain(`https://${after}:6443`);
});
