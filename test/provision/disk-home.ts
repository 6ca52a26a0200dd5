import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { tool } from "../../toolchain/tools";
import { Checkout } from "../sandbox/checkout";
import type { Outcome } from "../sandbox/home";
import { Network } from "./machines/network";
import { VirtualMachine } from "./machines/uml";

const repository = resolve(__dirname, "../..");

/** Fields of a data disk in the config that the tests set. */
export interface DiskConfig {
    readonly serial: string;
    /** Serial number in the name of its device, if that is another one. */
    readonly device?: string;
    readonly size?: string;
    readonly erase?: string;
}

/** Milliseconds for {@link DiskHome.create} and a start: the first time, a Debian is installed and an image made of it. */
export const createLimit = 2_700_000;

/** Part of the passphrase to search for, however the rest is quoted. */
export const passphraseWords = "kestrel heron plover";

/** Passphrase of the data disks, with characters that a shell would change. */
export const passphrase = `it's "${passphraseWords}" $HOME`;

/** Mount point of the file system, which is exported. */
export const mount = "/srv/family";

/** Path of the scripts' Pulumi program in the repository. */
const program = "test/provision/disks-program.ts";

/** Public half of the key pair in a file, without its comment. */
const publicKey = (file: string) => readFileSync(`${file}.pub`, "utf8").trim().split(" ").slice(0, 2).join(" ");

/**
 * A home with a node that gets data disks, nas, another machine, tv, and a checkout with a stack. One key logs in to
 * the machines; another one, in an SSH agent, may only unlock the node.
 */
export class DiskHome {
    private readonly environment: NodeJS.ProcessEnv;

    private constructor(
        readonly network: Network,
        readonly nas: VirtualMachine,
        readonly tv: VirtualMachine,
        private readonly checkout: Checkout,
        private readonly folder: string,
        private readonly agent: { readonly socket: string; readonly pid: number },
    ) {
        const pulumi = tool("pulumi");
        this.environment = {
            PATH: [dirname(pulumi), join(repository, "node_modules/.bin"), process.env["PATH"]].join(delimiter),
            PULUMI_CONFIG_PASSPHRASE: "test",
            PULUMI_SKIP_UPDATE_CHECK: "true",
            SSH_AUTH_SOCK: agent.socket,
        };
    }

    /** Creates the machines, switched off, and the stack. */
    static async create(): Promise<DiskHome> {
        const folder = mkdtempSync(join(tmpdir(), "hearth-disks-"));
        for (const key of ["admin", "unlocker"]) {
            execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, key)]);
        }
        const socket = join(folder, "agent");
        const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(execFileSync("ssh-agent", ["-a", socket]).toString())?.[1]);
        execFileSync("ssh-add", ["-q", join(folder, "unlocker")], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
        const network = new Network();
        const machine = (name: string, address: string) =>
            VirtualMachine.create({ name, address, network, key: join(folder, "admin") });
        const nas = await machine("nas", "10.77.0.11");
        const tv = await machine("tv", "10.77.0.20");
        const home = new DiskHome(network, nas, tv, new Checkout(), folder, { socket, pid });
        await home.createStack();
        return home;
    }

    private async createStack(): Promise<void> {
        const { checkout } = this;
        mkdirSync(join(checkout.root, dirname(program)), { recursive: true });
        cpSync(join(repository, program), join(checkout.root, program));
        checkout.write("index.ts", `export * from "./${program.replace(/\.ts$/, "")}";\n`);
        this.writeConfig({
            "hearth:domain": "home.arpa",
            "hearth:repository": { url: "http://git.home.arpa/hearth.git" },
            "hearth:loadBalancer": { addresses: ["10.77.0.200-10.77.0.220"] },
            "hearth:nfs": { server: this.nas.address, path: mount },
            "hearth:storage": { mount },
        });
        await this.pulumi(["stack", "init", "test"]);
        await this.setSecret("hearth:ssh.privateKey", readFileSync(join(this.folder, "admin"), "utf8"));
        await this.setPassphrase(passphrase);
    }

    private readConfig(): Record<string, unknown> {
        return parse(this.checkout.read("Pulumi.test.yaml")).config;
    }

    private writeConfig(config: Readonly<Record<string, unknown>>, rest: object = {}): void {
        this.checkout.write("Pulumi.test.yaml", stringify({ ...rest, config }));
    }

    /**
     * Writes the node's current state into the stack's config.
     *
     * @param unlock changes to the usual settings; null if a key file opens its disks
     * @param raid RAID level, if it is not the default
     */
    configure(disks: readonly DiskConfig[], unlock: { readonly hostKey?: string } | null = {}, raid?: 1 | 5 | 6): void {
        const { encryptionsalt } = parse(this.checkout.read("Pulumi.test.yaml"));
        const { name, address, hostKey } = this.nas;
        const overSsh = {
            ...{ address: `${address}/24`, gateway: "10.77.0.1", interface: "eth0" },
            keys: [publicKey(join(this.folder, "unlocker"))],
            ...unlock,
        };
        const node = {
            ...{ name, address, hostKey, user: "root", role: "server" },
            disks: disks.map(({ serial, device = serial, size = "268MB", erase }) => ({
                ...{ device: `/dev/disk/by-id/virtio-${device}`, serial, size },
                ...(erase === undefined ? {} : { erase }),
            })),
            ...(unlock === null ? {} : { unlock: overSsh }),
            ...(raid === undefined ? {} : { raid }),
        };
        this.writeConfig({ ...this.readConfig(), "hearth:nodes": [node] }, { encryptionsalt });
    }

    private async setSecret(path: string, value: string): Promise<void> {
        await this.pulumi(["config", "set", "--secret", "--path", path, "--stack", "test"], value);
    }

    /** Writes a passphrase into the stack's config. */
    async setPassphrase(text: string): Promise<void> {
        await this.setSecret("hearth:storage.passphrase", text);
    }

    /** Runs a Pulumi command, which must succeed, and returns its output. */
    async pulumi(args: readonly string[], input = ""): Promise<string> {
        const command = [tool("pulumi"), ...args, "--non-interactive"];
        const { code, output } = await this.checkout.run(command, input, this.environment);
        if (code !== 0) {
            throw new Error(`pulumi ${args.join(" ")} exited with ${code}: ${output}`);
        }
        return output;
    }

    /** `pulumi up` */
    async up(): Promise<Outcome> {
        return this.run(tool("pulumi"), "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "test");
    }

    /** Output of `pulumi up` that must succeed. */
    async upSucceeds(): Promise<string> {
        const { code, output } = await this.up();
        if (code !== 0) {
            throw new Error(output);
        }
        return output;
    }

    /** Makes the stack forget its steps, so that every script inspects its host again. The node is not changed. */
    async forget(): Promise<void> {
        await this.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    }

    /** `hack/unlock nas`, by a user with the key for it. */
    async unlock(): Promise<Outcome> {
        return this.run("hack/unlock", "nas", "--stack", "test");
    }

    /** Files of the checkout, including the stack's config and state, that contain the passphrase in plain text. */
    filesWithPassphrase(): string[] {
        return this.checkout.filesWith(passphraseWords);
    }

    /** Runs a program of the checkout in the machines' network. */
    async run(program: string, ...args: readonly string[]): Promise<Outcome> {
        const [wrapper, wrapped] = this.network.command(program, ...args);
        return this.checkout.run([wrapper, ...wrapped], "", this.environment);
    }

    /** Switches the machines off, and removes everything. */
    async remove(): Promise<void> {
        await this.nas.remove();
        await this.tv.remove();
        this.network.remove();
        await this.checkout.remove();
        process.kill(this.agent.pid);
        rmSync(this.folder, { recursive: true });
    }
}
