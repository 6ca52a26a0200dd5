import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import Table from "cli-table3";
import { stringify } from "yaml";
import { k3sSchema, nodeSchema } from "../config/nodes";
import { runMain } from "../lib/failure";
import { findOnPath } from "../lib/paths";
import { run } from "../lib/run";
import { auditPolicyText, k3sConfig, podSecurityText, registrationConfig } from "../provision/k3s-config";
import { MachineHome } from "../test/provision/home";
import { aptGetInstall } from "../toolchain/apt-get";
import { machine, results } from "./record";

/**
 * Cost of provisioning: `npx tsx bench/provision.ts`, as root. One server and agents, by `pulumi up` and by an Ansible
 * playbook that does the same, each on newly installed hosts, then again with nothing changed. Prints a table and
 * writes bench/results/provision.json.
 */
/** Number of hosts: one server, the others agents. */
const sizes = [1, 3, 6];

interface Measured {
    readonly nodes: number;
    readonly by: "hearth" | "ansible";
    /** From machines with Debian to nodes that are Ready, in seconds. */
    readonly fresh: number;
    /** The same again, with nothing to do, in seconds. */
    readonly unchanged: number;
}

async function seconds(work: () => Promise<{ readonly exitCode: number; readonly output: string }>): Promise<number> {
    const start = process.hrtime.bigint();
    const { exitCode, output } = await work();
    if (exitCode !== 0) {
        throw new Error(output);
    }
    return Number(process.hrtime.bigint() - start) / 1e9;
}

async function byHearth(home: MachineHome, nodes: number): Promise<Measured> {
    await home.startOver();
    home.configure(home.nodes().map((node) => ({ ...node, labels: { room: "attic" } })));
    const fresh = await seconds(() => home.stack.up());
    // All scripts, not only Pulumi's comparison with its state: the playbook does that too.
    await home.stack.forgetScripts();
    return { nodes, by: "hearth", fresh, unchanged: await seconds(() => home.stack.up()) };
}

async function byAnsible(home: MachineHome, nodes: number): Promise<Measured> {
    await home.startOver();
    const { folder, command } = prepareAnsible(home);
    const play = () =>
        seconds(() =>
            run(...command, { cwd: folder, env: { ...process.env, ANSIBLE_CONFIG: join(folder, "ansible.cfg") } }),
        );
    return { nodes, by: "ansible", fresh: await play(), unchanged: await play() };
}

/** An inventory and a configuration for the playbook: as many hosts at a time as there are, and pipelining. */
function prepareAnsible(home: MachineHome): { folder: string; command: [string, string[]] } {
    const folder = join(home.folder, "ansible");
    mkdirSync(folder, { recursive: true });
    const [server, ...agents] = home.nodes();
    if (server === undefined) {
        throw new Error("no machines");
    }
    const knownHosts = join(folder, "known_hosts");
    writeFileSync(
        knownHosts,
        home
            .nodes()
            .map(({ address, hostKey }) => `${address} ${hostKey}\n`)
            .join(""),
    );
    const unit = (role: string, type: string) =>
        `[Unit]\nAfter=network-online.target\n[Service]\nType=${type}\nExecStart=/usr/local/bin/k3s ${role}\n` +
        "KillMode=process\nDelegate=yes\nRestart=always\nRestartSec=5s\nTimeoutStartSec=0\n[Install]\nWantedBy=multi-user.target\n";
    const node = nodeSchema.parse(server);
    const membership = {
        ...{ token: "a".repeat(48), agentToken: "b".repeat(48), api: server.address },
        settings: k3sSchema.parse({}),
    };
    const config = k3sConfig(node, membership) + registrationConfig(node, membership);
    const group = (machines: typeof agents) => ({
        hosts: Object.fromEntries(
            machines.map(({ name, address, user }) => [name, { ansible_host: address, ansible_user: user }]),
        ),
    });
    const inventory = {
        all: {
            children: { server: group([server]), agents: group(agents) },
            vars: {
                ansible_python_interpreter: "/usr/bin/python3",
                k3s_source: "/opt/k3s",
                k3s_version: home.release().version,
                k3s_sha256: home.release().sha256,
                k3s_files: [
                    { name: "config.yaml", content: config },
                    { name: "audit-policy.yaml", content: auditPolicyText },
                    { name: "pod-security.yaml", content: podSecurityText },
                ],
                k3s_unit: unit("server", "notify"),
                k3s_agent_unit: unit("agent", "exec"),
                sysctls: Object.fromEntries(
                    [
                        ...readFileSync(resolve(__dirname, "../provision/scripts/baseline.sh"), "utf8").matchAll(
                            /^([a-z_.]+)=(\d+)$/gm,
                        ),
                    ].map(([, key, value]) => [key, value]),
                ),
            },
        },
    };
    writeFileSync(join(folder, "inventory.yaml"), stringify(inventory));
    writeFileSync(
        join(folder, "ansible.cfg"),
        `[defaults]\nforks = 10\nprivate_key_file = ${home.key}\nretry_files_enabled = false\n` +
            `[ssh_connection]\npipelining = true\nssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=${knownHosts}\n`,
    );
    const playbook = resolve(__dirname, "provision/playbook.yaml");
    return { folder, command: home.network.command("ansible-playbook", "--inventory", "inventory.yaml", playbook) };
}

async function main(): Promise<number> {
    if (!findOnPath("ansible-playbook")) {
        await aptGetInstall("ansible-playbook", "Install the package ansible.", ["ansible"]);
    }
    const measured: Measured[] = [];
    for (const nodes of sizes) {
        const home = await MachineHome.create(
            "s1",
            ...Array.from({ length: nodes - 1 }, (_, index) => `a${index + 1}`),
        );
        try {
            for (const measure of [byHearth, byAnsible]) {
                process.stderr.write(`${nodes} nodes, ${measure.name} …\n`);
                measured.push(await measure(home, nodes));
            }
        } finally {
            await home.remove();
        }
    }
    const table = new Table({
        head: ["nodes", "by", "fresh, s", "unchanged, s", "s per node"],
        style: { head: [], border: [] },
    });
    for (const { nodes, by, fresh, unchanged } of measured) {
        table.push([nodes, by, fresh.toFixed(1), unchanged.toFixed(1), (fresh / nodes).toFixed(1)]);
    }
    process.stdout.write(`${table.toString()}\n`);
    const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
    writeFileSync(join(results, "provision.json"), `${JSON.stringify({ ...machine(), commit, measured }, null, 4)}\n`);
    return 0;
}

runMain("bench/provision.ts", main);
