import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { ApiSettings } from "../../config/nodes";
import { type Outcome, run } from "../../lib/run";
import { downloadChartModules } from "../../sandbox/charts/go-module-charts";
import { podTools, type ToolName, testTools, tool, toolVersion } from "../../toolchain/tools";
import { debianRoot, packageCache } from "./machines/debian";
import { Network } from "./machines/network";
import { Machine } from "./machines/nspawn";
import { type Program, Stack } from "./stack";

/** Fields of a node in the stack's config that the tests set. */
export interface NodeConfig {
    readonly name: string;
    readonly address: string;
    readonly user: string;
    readonly hostKey: string;
    readonly role: "server" | "agent";
    readonly labels?: Readonly<Record<string, string>>;
    readonly taints?: readonly string[];
    readonly offline?: boolean;
}

/** Fields of a node in the API that the tests read. */
export interface LiveNode {
    readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
    readonly spec: { readonly unschedulable?: boolean; readonly taints?: readonly { readonly key: string }[] };
    readonly status: {
        readonly nodeInfo: { readonly kubeletVersion: string };
        readonly conditions: readonly { readonly type: string; readonly status: string }[];
    };
}

/** The release of k3s that the stand-in replaces, and one of the next minor version. */
export const versions = ["v1.35.0+k3s1", "v1.36.0+k3s1"] as const;

/** The release of k3s that the stand-in reports if its nodes run pods, and a later patch release. */
export const podVersions = [`${toolVersion(podTools.kubelet)}+k3s1`, `${toolVersion(podTools.kubelet)}+k3s2`] as const;

/** Programs of the control plane, and of nodes that run pods, in /opt/tools for the stand-in. */
const controlPlane: ToolName[] = ["etcd", "kube-apiserver", "kubectl"];
const podPrograms: ToolName[] = ["kube-controller-manager", "kube-scheduler", "kube-proxy", "pod-network", "helm3"];
const cniPlugins: ToolName[] = ["bridge", "host-local", "loopback", "portmap"];

/** Contents of k3s' binary beyond {@link podPrograms}, and the packages of a tunnel to an edge. */
const podPackages = ["containerd", "ipset", "runc", "wireguard-tools"];

/** Path at which the hosts find the releases of k3s. */
const source = "/opt/k3s";

/** Path of the Debian packages on the hosts, to install missing ones. */
export const packages = "/opt/packages";

/**
 * Machines in an isolated network, named `s…` for servers and `a…` for agents, and the stack that builds a cluster from
 * them. sandbox/k3s-stand-in.sh replaces k3s.
 */
export class MachineHome {
    readonly network = new Network();
    readonly machines: Machine[] = [];
    /** Path at which the hosts find the releases of k3s. */
    readonly source = source;
    /** Deleted with the home. */
    readonly folder = mkdtempSync(join(tmpdir(), "hearth-machines-"));
    /** Address of the API; the first server's by default. */
    api: ApiSettings | undefined;
    private readonly sums = new Map<string, string>();
    private current: Stack | undefined;

    /**
     * @param runPods true if the nodes run pods; otherwise the cluster is only an API @param program the program that
     * `pulumi up` runs
     */
    private constructor(
        private readonly runPods: boolean,
        private readonly program: Program,
    ) {}

    static async create(...names: string[]): Promise<MachineHome> {
        return MachineHome.of(false, "nodes", names);
    }

    /** A home whose nodes run pods. */
    static async withPods(...names: string[]): Promise<MachineHome> {
        return MachineHome.of(true, "nodes", names);
    }

    /** A home whose nodes run pods, with a stack of the whole program. */
    static async withServices(...names: string[]): Promise<MachineHome> {
        return MachineHome.of(true, "home", names);
    }

    private static async of(runPods: boolean, program: Program, names: readonly string[]): Promise<MachineHome> {
        const home = new MachineHome(runPods, program);
        try {
            await home.prepare();
            await home.addMachines(...names);
            home.current = await home.newStack();
        } catch (error) {
            await home.remove();
            throw error;
        }
        return home;
    }

    private async newStack(): Promise<Stack> {
        return Stack.create(this.network, { "ssh.privateKey": readFileSync(this.key, "utf8") }, this.program);
    }

    private get version(): string {
        return (this.runPods ? podVersions : versions)[0];
    }

    /** File with the private key that the hosts accept. */
    get key(): string {
        return join(this.folder, "key");
    }

    /** The stack that makes a cluster of the machines. */
    get stack(): Stack {
        if (this.current === undefined) {
            throw new Error("the home has no stack yet");
        }
        return this.current;
    }

    /** The key for logging in to the machines, and the files under /opt. */
    private async prepare(): Promise<void> {
        execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", this.key]);
        for (const version of this.runPods ? podVersions : versions) {
            const text = readFileSync(resolve(__dirname, "../../sandbox/k3s-stand-in.sh"), "utf8").replace(
                versions[0],
                version,
            );
            const file = join(this.folder, "k3s", version, "k3s");
            mkdirSync(join(this.folder, "k3s", version), { recursive: true });
            writeFileSync(file, text);
            this.sums.set(version, createHash("sha256").update(text).digest("hex"));
        }
        mkdirSync(join(this.folder, "tools/cni"), { recursive: true });
        const copy = (name: ToolName, folder: string) => {
            cpSync(tool(name), join(this.folder, folder, name));
            chmodSync(join(this.folder, folder, name), 0o755);
        };
        for (const name of [...controlPlane, ...(this.runPods ? podPrograms : (["etcdutl"] as const))]) {
            copy(name, "tools");
        }
        if (this.runPods) {
            for (const name of cniPlugins) {
                copy(name, "tools/cni");
            }
            // A node's version is its kubelet's, so the patch release only differs in that.
            const kubelet = readFileSync(tool("kubelet"), "latin1");
            for (const version of podVersions) {
                const file = join(this.folder, "tools", `kubelet-${version}`);
                writeFileSync(file, kubelet.replaceAll(podVersions[0], version), { encoding: "latin1", mode: 0o755 });
            }
            const sandbox = resolve(__dirname, "../../sandbox");
            cpSync(join(sandbox, "k3s-pods.sh"), join(this.folder, "tools/k3s-pods.sh"));
            mkdirSync(join(this.folder, "tools/manifests"));
            cpSync(join(sandbox, "manifests/k3s-addons.yaml"), join(this.folder, "tools/manifests/k3s-addons.yaml"));
            const traefik = (await downloadChartModules()).get("github.com/traefik/traefik-helm-chart") ?? "";
            cpSync(join(traefik, "traefik"), join(this.folder, "tools/charts/traefik"), { recursive: true });
            const version = toolVersion(testTools.traefik).slice(1);
            writeFileSync(join(this.folder, "tools/charts/traefik-version"), version);
        }
    }

    /** Adds newly installed machines. */
    async addMachines(...names: string[]): Promise<void> {
        const first = 10 + this.machines.length + 1;
        const added = await Promise.allSettled(
            names.map((name, index) => this.createMachine(name, this.network, `10.77.0.${first + index}`)),
        );
        for (const each of added) {
            if (each.status === "fulfilled") {
                this.machines.push(each.value);
            }
        }
        for (const each of added) {
            if (each.status === "rejected") {
                throw each.reason;
            }
        }
    }

    /** A newly installed machine, in this home's network or in another. */
    async createMachine(name: string, network: Network, address: string): Promise<Machine> {
        const publicKey = readFileSync(`${this.key}.pub`, "utf8");
        const mounts = {
            [source]: join(this.folder, "k3s"),
            "/opt/tools": join(this.folder, "tools"),
            [packages]: packageCache,
            // wg-quick runs it where the kernel has no WireGuard.
            ...(this.runPods ? { "/usr/local/bin/wireguard-go": tool("wireguard-go") } : {}),
        };
        const root = await this.root();
        return Machine.create({ name, address, network, root, publicKey, mounts, containers: this.runPods });
    }

    /** Folder with the Debian root of all machines. */
    async root(): Promise<string> {
        return debianRoot(this.runPods ? podPackages : []);
    }

    /** Resets the machines to their installed state, and replaces the stack. */
    async startOver(): Promise<void> {
        await Promise.all(this.machines.map((machine) => machine.reinstall()));
        this.current?.remove();
        this.current = await this.newStack();
    }

    /** The machine of that name. */
    machine(name: string): Machine {
        const machine = this.machines.find((each) => each.name === name);
        if (machine === undefined) {
            throw new Error(`no machine ${name}`);
        }
        return machine;
    }

    /** Config of every host. */
    nodes(): NodeConfig[] {
        return this.machines.map(({ name, address, hostKey }) => ({
            name,
            address,
            hostKey,
            // Both logins: as root, and as a user with sudo.
            user: name.endsWith("1") ? "root" : "admin",
            role: name.startsWith("s") ? "server" : "agent",
        }));
    }

    /**
     * Writes the stack's config with all machines, or the given nodes.
     *
     * @param changes to the usual settings
     */
    configure(
        nodes: readonly NodeConfig[] = this.nodes(),
        version: string = this.version,
        changes: {
            readonly source?: string;
            readonly release?: { version: string; sha256: string };
            readonly registries?: Readonly<Record<string, { readonly mirrors: readonly string[] }>>;
            readonly discard?: readonly string[];
            readonly edge?: Readonly<Record<string, unknown>>;
        } = {},
    ): void {
        this.stack.configure({
            domain: "home.arpa",
            repository: { url: "http://git.home.arpa/hearth.git" },
            nodes,
            source,
            release: this.release(version),
            ...(this.api === undefined ? {} : { api: this.api }),
            ...changes,
        });
    }

    /** A release of the k3s stand-in. */
    release(version: string = this.version): { readonly version: string; readonly sha256: string } {
        return { version, sha256: this.sums.get(version) ?? "" };
    }

    /** Serves the k3s stand-in over HTTP, in the machines' network, until it is closed. */
    mirror(port: number): { readonly url: string; close(): void } {
        const folder = join(this.folder, "k3s");
        const [program, args] = this.network.command("python3", "-m", "http.server", `${port}`, "--directory", folder);
        const server = spawn(program, args, { stdio: "ignore" });
        return { url: `http://${this.network.address}:${port}`, close: () => server.kill() };
    }

    /** `kubectl`, with the kubeconfig in the stack's outputs. */
    async kubectl(...args: string[]): Promise<Outcome> {
        const kubeconfig = join(this.folder, "kubeconfig");
        writeFileSync(kubeconfig, await this.stack.output("kubeconfig"), { mode: 0o600 });
        return run(...this.network.command(tool("kubectl"), "--kubeconfig", kubeconfig, ...args));
    }

    /** Applies an object. */
    async apply(object: object): Promise<void> {
        const file = join(this.folder, "object.json");
        writeFileSync(file, JSON.stringify(object));
        const { exitCode, output } = await this.kubectl("apply", "--server-side", "--filename", file);
        if (exitCode !== 0) {
            throw new Error(output);
        }
    }

    /** The nodes in the API, by name. */
    async liveNodes(): Promise<Map<string, LiveNode>> {
        const { exitCode, output } = await this.kubectl("get", "nodes", "--output=json");
        if (exitCode !== 0) {
            throw new Error(output);
        }
        const { items } = JSON.parse(output) as { items: LiveNode[] };
        return new Map(items.map((item) => [item.metadata.name, item]));
    }

    /** Removes the machines, the network and the stack. */
    async remove(): Promise<void> {
        await Promise.all(this.machines.map((machine) => machine.remove()));
        this.network.remove();
        this.current?.remove();
        rmSync(this.folder, { recursive: true });
    }
}

/** Output of a program that must succeed. */
export async function printed(outcome: Promise<Outcome>): Promise<string> {
    const { exitCode, output } = await outcome;
    if (exitCode !== 0) {
        throw new Error(output);
    }
    return output;
}
