import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { findOnPath } from "../../lib/paths";
import { type Outcome, run } from "../../lib/run";
import { aptGetInstall } from "../../toolchain/apt-get";
import { type Network, within } from "../provision/machines/network";
import { printed } from "./pods";

/** Programs of a user at home, with their packages. */
const programs = { curl: "curl", dig: "bind9-dnsutils", certutil: "libnss3-tools", chromium: "chromium" } as const;

/** A computer in the home's network that is not a node: it uses the home's DNS server and certificate authority. */
export class Visitor {
    private readonly namespace: string;
    private readonly folder = mkdtempSync(join(tmpdir(), "hearth-visitor-"));

    private constructor(network: Network) {
        this.namespace = basename(network.attach("visitor", "10.77.0.99"));
    }

    /**
     * @param dns address of the DNS server that the router names
     * @param ca the home's certificate authority, in PEM
     */
    static async arrive(network: Network, dns: string, ca: string): Promise<Visitor> {
        for (const [program, name] of Object.entries(programs)) {
            if (!findOnPath(program)) {
                await aptGetInstall(program, `The tests of whole homes need it: install ${name}.`, [name]);
            }
        }
        const visitor = new Visitor(network);
        mkdirSync(visitor.settings, { recursive: true });
        // `ip netns exec` mounts it over this machine's own.
        writeFileSync(join(visitor.settings, "resolv.conf"), `nameserver ${dns}\n`);
        writeFileSync(visitor.ca, ca);
        const database = join(visitor.folder, ".pki/nssdb");
        mkdirSync(database, { recursive: true });
        await printed(run("certutil", ["-N", "-d", `sql:${database}`, "--empty-password"]));
        await printed(run("certutil", ["-A", "-d", `sql:${database}`, "-n", "home", "-t", "C,,", "-i", visitor.ca]));
        return visitor;
    }

    private get settings(): string {
        return join("/etc/netns", this.namespace);
    }

    /** File with the home's certificate authority. */
    get ca(): string {
        return join(this.folder, "ca.crt");
    }

    /** Command line that runs a program on this computer. */
    command(program: string, ...args: readonly string[]): [program: string, args: string[]] {
        return within(this.namespace, program, ...args);
    }

    /** Runs a program on this computer. */
    async run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
        return run(...this.command(program, ...args), {
            cwd: this.folder,
            env: { ...process.env, HOME: this.folder, ...env },
            timeout: 120_000,
        });
    }

    /**
     * Text of a page; throws if its certificate is not the home's.
     *
     * @param options further options of curl
     */
    async page(url: string, ...options: string[]): Promise<string> {
        const quiet = ["--fail", "--silent", "--show-error", "--max-time", "20"];
        const known = ["--cacert", this.ca, "--netrc-optional", "--netrc-file", join(this.folder, "netrc")];
        return printed(this.run("curl", [...quiet, "--location", ...known, ...options, url]));
    }

    /** Runs a browser, which trusts the home's certificate authority. */
    private async browse(...args: string[]): Promise<string> {
        return printed(
            this.run("chromium", [
                ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
                ...["--window-size=1280,900", "--virtual-time-budget=10000", `--user-data-dir=${this.folder}/browser`],
                ...args,
            ]),
        );
    }

    /** A page as a browser renders it, as HTML. */
    async look(url: string): Promise<string> {
        return this.browse("--dump-dom", url);
    }

    /** Takes a picture of a page in a browser. */
    async photograph(url: string, file: string): Promise<void> {
        await this.browse(`--screenshot=${file}`, url);
    }

    /** Stores a login for pages and for Git, like a password manager. */
    logIn(host: string, name: string, password: string): void {
        appendFileSync(join(this.folder, "logins"), `https://${name}:${password}@${host}\n`, { mode: 0o600 });
        const line = `machine ${host} login ${name} password ${password}\n`;
        appendFileSync(join(this.folder, "netrc"), line, { mode: 0o600 });
    }

    /**
     * Generates an SSH key.
     *
     * @returns its public half
     */
    async makeKey(): Promise<string> {
        await printed(this.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", this.key]));
        return readFileSync(`${this.key}.pub`, "utf8").trim();
    }

    private get key(): string {
        return join(this.folder, "key");
    }

    /** Runs Git, which trusts the home's certificate authority and every host's key at the first sight. */
    async git(folder: string, ...args: string[]): Promise<string> {
        const known = `-o UserKnownHostsFile=${join(this.folder, "known_hosts")} -o StrictHostKeyChecking=accept-new`;
        const settings = [
            `core.sshCommand=ssh -F none -o BatchMode=yes -i ${this.key} ${known}`,
            `credential.helper=store --file=${join(this.folder, "logins")}`,
            ...["user.name=Somebody", "user.email=somebody@home.arpa"],
        ];
        const options = settings.flatMap((each) => ["-c", each]);
        return printed(this.run("git", ["-C", folder, ...options, ...args], { GIT_SSL_CAINFO: this.ca }));
    }

    /** Clones a repository. */
    async clone(url: string): Promise<string> {
        const folder = mkdtempSync(join(this.folder, "clone-"));
        await this.git(this.folder, "clone", "--quiet", url, folder);
        return folder;
    }

    /** Leaves the network, which is removed with the home. */
    leave(): void {
        rmSync(this.settings, { recursive: true, force: true });
        rmSync(this.folder, { recursive: true, force: true });
    }
}
