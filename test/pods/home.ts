import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { stringify } from "yaml";
import { type Outcome, run } from "../../lib/run";
import { tool } from "../../toolchain/tools";
import { MachineHome, podVersion } from "../provision/home";
import { Home, type LiveApplication } from "../sandbox/home";
import { address, ports, repository } from "./addresses";
import { registries, serve } from "./surroundings";

const stack = "pods";

/** First and last address that MetalLB hands out. */
export const loadBalancers = ["10.77.0.200", "10.77.0.250"] as const;

/** A whole home on bare machines whose nodes run pods: a copy of this work tree, its stack, and what it reaches. */
export class PodHome {
    private surroundings: ChildProcess | undefined;

    private constructor(
        readonly machines: MachineHome,
        readonly files: Home,
    ) {}

    /**
     * Makes the machines and the home's repository; nothing is deployed.
     *
     * @param applications names of those that the home has
     * @param names of the machines, `s…` for servers and `a…` for agents
     */
    static async create(applications: readonly string[], ...names: string[]): Promise<PodHome> {
        const files = await Home.create();
        const home = new PodHome(await MachineHome.withPods(...names), files);
        files.keepApplications(...applications);
        // k3s is what the machines find: its release is the one thing that the program has pinned otherwise.
        const { sha256 } = home.machines.release();
        files.edit("provision/k3s-release.ts", (text) =>
            text.replaceAll(/v1\.\d+\.\d+\+k3s\d/g, podVersion).replaceAll(/"[0-9a-f]{64}"/g, `"${sha256}"`),
        );
        await home.configure();
        await files.commit("a home of real pods");
        home.surroundings = await serve(home.machines.network, files.root);
        return home;
    }

    /** Makes the stack and writes its config. */
    private async configure(): Promise<void> {
        const { root } = this.files;
        mkdirSync(join(root, ".state"));
        const done = await this.pulumi("stack", "select", "--create");
        if (done.exitCode !== 0) {
            throw new Error(done.output);
        }
        await this.setSecret("hearth:ssh.privateKey", readFileSync(this.machines.key, "utf8"));
        const server = `http://${address}`;
        const config = {
            domain: "home.arpa",
            nodes: this.machines.nodes(),
            k3s: { source: this.machines.source },
            registries,
            repository: { url: `${server}:${ports.git}/${repository}` },
            charts: { repository: `${server}:${ports.charts}` },
            loadBalancer: { addresses: [loadBalancers.join("-")] },
            nfs: { server: address, path: "/export" },
        };
        const lines = stringify(
            Object.fromEntries(Object.entries(config).map(([key, value]) => [`hearth:${key}`, value])),
        );
        appendFileSync(join(root, `Pulumi.${stack}.yaml`), lines.replace(/^(?=.)/gm, "  "));
    }

    private async setSecret(path: string, value: string): Promise<void> {
        const [program, args, options] = this.command("config", "set", "--secret", "--path", path);
        const child = spawn(program, args, { ...options, stdio: ["pipe", "ignore", "inherit"] });
        child.stdin.end(value);
        const exitCode = await new Promise((done) => child.once("close", done));
        if (exitCode !== 0) {
            throw new Error(`${path} cannot be set`);
        }
    }

    /** Runs a command of Pulumi to its end. */
    async pulumi(...args: string[]): Promise<Outcome> {
        return run(...this.command(...args));
    }

    private command(...args: string[]): [string, string[], { cwd: string; env: NodeJS.ProcessEnv }] {
        const { root } = this.files;
        const [program, parameters] = this.machines.network.command(
            tool("pulumi"),
            ...args,
            ...["--stack", stack, "--non-interactive"],
        );
        const path = [dirname(tool("pulumi")), join(root, "node_modules/.bin"), process.env["PATH"] ?? ""];
        const env = {
            ...process.env,
            PATH: path.join(delimiter),
            PULUMI_BACKEND_URL: `file://${join(root, ".state")}`,
            PULUMI_CONFIG_PASSPHRASE: "pods",
            PULUMI_SKIP_UPDATE_CHECK: "true",
        };
        return [program, parameters, { cwd: root, env }];
    }

    /** `pulumi up`. */
    async up(): Promise<Outcome> {
        return this.pulumi("up", "--yes", "--skip-preview", "--parallel", "64");
    }

    /** The Applications that exist, by name. */
    async applications(): Promise<Map<string, LiveApplication>> {
        const { items }: { items: LiveApplication[] } = JSON.parse(
            (await this.machines.administer("--namespace=argocd", "get", "applications", "--output=json")).output,
        );
        return new Map(items.map((item) => [item.metadata.name, item]));
    }

    /** Removes everything. */
    async remove(): Promise<void> {
        this.surroundings?.kill();
        await this.machines.remove();
        await this.files.remove();
    }
}
