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

/** Commands of docs/restore.md for the first server. */
function commandsOfPage(): string[] {
    const page = readFileSync(join(root, "docs/restore.md"), "utf8");
    const section = page.split(/^## /m).find((each) => each.startsWith("The datastore\n")) ?? "";
    const lines = section.split("\n").filter((line) => /^ {4}\S/.test(line));
    expect(lines[3]?.trim()).toBe("systemctl stop k3s");
    return lines.slice(0, 3).map((line) => line.trim());
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
    expect(await type("s1", commandsOfPage(), snapshot)).toContain("Managed etcd cluster membership has been reset");

    await printed(home.stack.hack("recover"));
    home.configure();
    await up();
    expect(await authority()).toBe(before);
    expect(await configMaps()).toEqual(["configmap/before"]);
    await untilReady("a1", "s1");
});
