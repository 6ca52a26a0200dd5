import { type ChildProcess, spawn } from "node:child_process";
import {
    existsSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    readFileSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { cp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type ApplicationStatus, isReady as isStatusReady } from "../../components/application-status";
import { freePorts } from "../../lib/ports";
import { startSandbox } from "../../sandbox/sandbox";
import { tool } from "../../toolchain/tools";

const repository = resolve(__dirname, "../..");

/** End of a command. */
export interface Outcome {
    readonly code: number | null;
    /** Its output on both streams, in order. */
    readonly output: string;
}

/** Fields of a resource in an exported Pulumi state that the tests read. */
export interface StateResource {
    readonly urn: string;
    readonly type: string;
    readonly parent?: string;
    readonly dependencies?: readonly string[];
    readonly initErrors?: readonly string[];
}

/** Fields of an Argo CD Application that the tests read. */
export interface LiveApplication {
    readonly metadata: { readonly name: string; readonly annotations: Record<string, string> };
    readonly status?: ApplicationStatus;
}

/** The Gitea of a home. */
export interface GiteaAccess {
    /** Its address. */
    readonly server: string;
    /** URL of the home's repository. */
    readonly url: string;
    /** Its administrator. */
    readonly account: { readonly name: string; readonly password: string };
    /** URL at which it notifies Argo CD of a push. */
    readonly webhook: string;
}

/** A copy of the work tree, committed to a separate repository, with its own sandbox, which a test can break. */
export class Home {
    readonly kubeconfig: string;
    /** Ports of its Git server and of its charts, once they are chosen. */
    private ports: Readonly<Record<"git" | "charts", number>> | undefined;

    private constructor(
        readonly root: string,
        private readonly passphrase = "sandbox",
    ) {
        this.kubeconfig = join(root, ".sandbox/kubeconfig");
    }

    static async create(): Promise<Home> {
        const home = new Home(mkdtempSync(join(tmpdir(), "hearth-home-")));
        symlinkSync(join(repository, "node_modules"), join(home.root, "node_modules"));
        await home.takeWorkTree();
        await home.git("init", "--quiet", "--initial-branch=main");
        // Here it is a link, which .gitignore's folder patterns do not match.
        writeFileSync(join(home.root, ".git/info/exclude"), "node_modules\n");
        await home.git("config", "user.email", "test@home.arpa");
        await home.git("config", "user.name", "test");
        await home.commit("a home of its own");
        return home;
    }

    /** Copies the work tree's files to the home, without a commit. */
    async takeWorkTree(): Promise<void> {
        await this.removeFiles();
        const list = ["-C", repository, "ls-files", "-z", "-co", "--exclude-standard"];
        const files = (await this.run("git", list)).output.split("\0").filter(Boolean);
        for (const file of files) {
            mkdirSync(join(this.root, dirname(file)), { recursive: true });
            // In Node 22 cpSync treats a link to a folder as the folder.
            await cp(join(repository, file), join(this.root, file), { force: true, verbatimSymlinks: true });
        }
        await this.usePorts();
    }

    /**
     * Copies the files of a commit of this repository to the home, without a commit.
     *
     * @param commit any name that Git resolves
     */
    async takeCommit(commit: string): Promise<void> {
        await this.removeFiles();
        const archive = join(this.root, ".git-archive.tar");
        const outcomes = [
            await this.run("git", ["-C", repository, "archive", `--output=${archive}`, commit]),
            await this.run("tar", ["--extract", "--file", archive]),
        ];
        rmSync(archive, { force: true });
        const failed = outcomes.find(({ code }) => code !== 0);
        if (failed) {
            throw new Error(`${commit} cannot be taken: ${failed.output}`);
        }
        await this.usePorts();
    }

    /** Removes every file that the home's repository has, if it has one yet. */
    private async removeFiles(): Promise<void> {
        if (existsSync(join(this.root, ".git"))) {
            await this.git("rm", "-r", "--force", "--quiet", ".");
        }
    }

    /** Makes the sandbox serve Git and charts at this home's own ports. */
    private async usePorts(): Promise<void> {
        this.ports ??= await freePorts("git", "charts");
        const { git, charts } = this.ports;
        this.edit("Pulumi.sandbox.yaml", (text) =>
            text
                .replace(/(url: http:\/\/127\.0\.0\.1:)\d+/, `$1${git}`)
                .replace(/(repository: http:\/\/127\.0\.0\.1:)\d+/, `$1${charts}`),
        );
    }

    /** The same home for a user with another passphrase. */
    withPassphrase(passphrase: string): Home {
        return new Home(this.root, passphrase);
    }

    /** Writes a file of the home. */
    write(file: string, content: string): void {
        mkdirSync(dirname(join(this.root, file)), { recursive: true });
        writeFileSync(join(this.root, file), content);
    }

    /** Changes a file of the home. */
    edit(file: string, change: (text: string) => string): void {
        const before = readFileSync(join(this.root, file), "utf8");
        const after = change(before);
        if (after === before) {
            throw new Error(`the edit changes nothing in ${file}`);
        }
        writeFileSync(join(this.root, file), after);
    }

    /** Keeps these Applications and removes the others, for a home that starts faster. */
    keepApplications(...names: string[]): void {
        for (const file of readdirSync(join(this.root, "clusters/home/apps"))) {
            if (!names.includes(file.replace(/\.yaml$/, ""))) {
                this.removeFile(`clusters/home/apps/${file}`);
            }
        }
        this.edit("clusters/home/kustomization.yaml", (text) =>
            text.replace(/ {2}- apps\/(.*)\.yaml\n/g, (line, name) => (names.includes(name) ? line : "")),
        );
    }

    /** Gives the home its own Gitea, which runs once the Pulumi program has created its pod. */
    async useOwnGitea(): Promise<Omit<GiteaAccess, "account">> {
        const ports = await freePorts("gitea", "argocd");
        const server = `http://127.0.0.1:${ports.gitea}`;
        const webhook = `http://127.0.0.1:${ports.argocd}/api/webhook`;
        this.edit("Pulumi.sandbox.yaml", (text) =>
            text
                .replace(/^ {4}url: .*\n/m, "")
                .replace(
                    /^( {2})hearth:charts:/m,
                    `$1hearth:gitea:\n    address: ${server}\n    webhook: ${webhook}\n$&`,
                ),
        );
        return { server, url: `${server}/home/hearth.git`, webhook };
    }

    /** Pushes a commit to a URL, which may name an account. */
    async pushTo(url: string, ...args: string[]): Promise<Outcome> {
        return this.run("git", ["push", "--quiet", url, ...args]);
    }

    /** Removes a file of the home. */
    removeFile(file: string): void {
        rmSync(join(this.root, file));
    }

    /** Removes a folder of the home. */
    removeFolder(folder: string): void {
        rmSync(join(this.root, folder), { recursive: true });
    }

    /** Reverts every change since the last commit. */
    async restore(): Promise<void> {
        await this.git("checkout", "--quiet", "--", ".");
    }

    /** Creates a branch at main, with main's files. */
    async branch(name: string): Promise<void> {
        await this.git("checkout", "--quiet", "--force", "-B", name, "main");
    }

    /** Commits everything and returns the commit's full hash. */
    async commit(message: string): Promise<string> {
        await this.git("add", "--all");
        await this.git("commit", "--quiet", "--message", message);
        return (await this.git("rev-parse", "HEAD")).output.trim();
    }

    /** Creates an empty commit and returns its full hash. */
    async emptyCommit(message: string): Promise<string> {
        await this.git("commit", "--quiet", "--allow-empty", "--message", message);
        return (await this.git("rev-parse", "HEAD")).output.trim();
    }

    /** Starts only the cluster and its stack, with nothing deployed: the state before a first run. */
    async startCluster(): Promise<void> {
        await startSandbox(this.root);
        mkdirSync(join(this.root, ".state"), { recursive: true });
        const { code, output } = await this.pulumi("stack", "select", "--create");
        if (code !== 0) {
            throw new Error(output);
        }
    }

    /** `npm start` without the setup, which the tests have already run. */
    async start(): Promise<Outcome> {
        return this.run("npm", ["run", "--silent", "--ignore-scripts", "start"]);
    }

    /** `npm stop`, with its options; throws when it fails. */
    async stop(...options: string[]): Promise<void> {
        const { code, output } = await this.run("npm", ["run", "--silent", "stop", "--", ...options]);
        if (code !== 0) {
            throw new Error(`npm stop exited with ${code}:\n${output}`);
        }
    }

    /** Ends the sandbox and removes the home. */
    async remove(): Promise<void> {
        await this.stop();
        rmSync(this.root, { recursive: true });
    }

    /** `npx pulumi` for the stack of the sandbox. */
    async pulumi(...args: string[]): Promise<Outcome> {
        return this.run("npx", ["pulumi", ...args, "--stack", "sandbox", "--non-interactive"]);
    }

    /** {@link pulumi} on a machine whose clock is wrong by an offset in faketime's form: "+1d". */
    async pulumiAt(time: string, ...args: string[]): Promise<Outcome> {
        const command = ["npx", "pulumi", ...args, "--stack", "sandbox", "--non-interactive"];
        // The monotonic clock is not changed: on a recently booted machine it cannot be set back.
        return this.run("faketime", ["--exclude-monotonic", "-f", time, ...command]);
    }

    /** Sets a secret of the stack's config, by standard input. */
    async setSecret(path: string, value: string): Promise<Outcome> {
        const args = ["config", "set", "--secret", "--path", path, "--stack", "sandbox", "--non-interactive"];
        return this.run("npx", ["pulumi", ...args], value);
    }

    /** One of the commands in hack/. */
    async hack(verb: string, ...args: string[]): Promise<Outcome> {
        return this.run(`./hack/${verb}`, args);
    }

    /** One of the commands in hack/, with the additional variables of a workflow's job. */
    async hackInJob(variables: NodeJS.ProcessEnv, verb: string, ...args: string[]): Promise<Outcome> {
        return this.run(`./hack/${verb}`, args, undefined, variables);
    }

    /** Pushes the home's main to the repository that its Argo CD follows. */
    async push(): Promise<void> {
        await this.git("push", "--quiet", this.url, "main");
    }

    /** Resets the branch to a commit, here and, bypassing the hook, in the repository that its Argo CD follows. */
    async forcePush(commit: string): Promise<void> {
        await this.git("reset", "--quiet", "--hard", commit);
        const served = join(this.root, ".sandbox/git", new URL(this.url).pathname);
        await this.git("--git-dir", served, "update-ref", "refs/heads/main", commit);
    }

    /** Sets the repository that its Argo CD follows as the remote `origin`, as in a clone. */
    async addOrigin(): Promise<void> {
        await this.git("remote", "add", "origin", this.url);
    }

    /** The command line of `kubectl` at the home's cluster, as its administrator. */
    kubectlCommand(...args: string[]): [program: string, args: string[]] {
        return [tool("kubectl"), ["--kubeconfig", this.kubeconfig, ...args]];
    }

    /** Runs {@link kubectlCommand}. */
    async kubectl(...args: string[]): Promise<Outcome> {
        return this.run(...this.kubectlCommand(...args));
    }

    /** The parsed answer of `kubectl get … --output json`. */
    async get<T>(...args: string[]): Promise<T> {
        const { code, output } = await this.kubectl("get", ...args, "--output=json");
        if (code !== 0) {
            throw new Error(output);
        }
        return JSON.parse(output);
    }

    /** Value of a Secret under a key. */
    async secret(name: string, key: string, namespace = "argocd"): Promise<string> {
        const { data } = await this.get<{ data: Record<string, string> }>("secret", name, `--namespace=${namespace}`);
        return Buffer.from(data[key] ?? "", "base64").toString();
    }

    /** The Applications that exist, by name. */
    async applications(): Promise<Map<string, LiveApplication>> {
        const { items } = await this.get<{ items: LiveApplication[] }>(
            "--namespace=argocd",
            "applications.argoproj.io",
        );
        return new Map(items.map((item) => [item.metadata.name, item]));
    }

    /** The resources in the stack's state. */
    async state(): Promise<StateResource[]> {
        const { output } = await this.pulumi("stack", "export");
        return JSON.parse(output.slice(output.indexOf("{"))).deployment.resources ?? [];
    }

    /**
     * Types a line into a shell at a terminal, with `kubectl` and its settings, like a reader of the docs.
     *
     * @param answers text to type whenever a prompt is shown
     */
    async type(line: string, answers: readonly (readonly [question: string, keys: string])[]): Promise<Outcome> {
        const bin = join(this.root, ".sandbox/reader");
        mkdirSync(bin, { recursive: true });
        rmSync(join(bin, "kubectl"), { force: true });
        symlinkSync(tool("kubectl"), join(bin, "kubectl"));
        const child = spawn(
            "script",
            ["--quiet", "--return", "--command", `stty columns 120 rows 50; ${line}`, "/dev/null"],
            {
                cwd: this.root,
                env: {
                    ...this.environment,
                    PATH: `${bin}:${process.env["PATH"]}`,
                    KUBECONFIG: this.kubeconfig,
                    SHELL: "/bin/bash",
                    PAGER: "cat",
                    TERM: "xterm",
                },
            },
        );
        let output = "";
        let answered = 0;
        const shown = (chunk: Buffer) => {
            output += chunk.toString();
            for (const [question, keys] of answers) {
                const at = output.indexOf(question, answered);
                if (at >= 0) {
                    answered = at + question.length;
                    child.stdin.write(keys);
                }
            }
        };
        child.stdout.on("data", shown);
        child.stderr.on("data", shown);
        return new Promise((resolveOutcome, reject) => {
            child.once("error", reject);
            child.once("close", (code) => resolveOutcome({ code, output }));
        });
    }

    /** URL that its Argo CD reads. */
    private get url(): string {
        return /url: (http:\S+)/.exec(readFileSync(join(this.root, "Pulumi.sandbox.yaml"), "utf8"))?.[1] ?? "";
    }

    private async git(...args: string[]): Promise<Outcome> {
        const outcome = await this.run("git", args);
        if (outcome.code !== 0) {
            throw new Error(`git ${args.join(" ")}: ${outcome.output}`);
        }
        return outcome;
    }

    private get environment(): NodeJS.ProcessEnv {
        return {
            ...process.env,
            PULUMI_CONFIG_PASSPHRASE: this.passphrase,
            PULUMI_SKIP_UPDATE_CHECK: "true",
            npm_config_loglevel: "error",
        };
    }

    private async run(
        command: string,
        args: string[],
        input?: string,
        variables?: NodeJS.ProcessEnv,
    ): Promise<Outcome> {
        return new Promise((resolveOutcome, reject) => {
            const child: ChildProcess = spawn(command, args, {
                cwd: this.root,
                env: { ...this.environment, ...variables },
                stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
            });
            child.stdin?.end(input);
            let output = "";
            const add = (chunk: Buffer) => {
                output += chunk.toString();
            };
            child.stdout?.on("data", add);
            child.stderr?.on("data", add);
            child.once("error", reject);
            // `exit`, not `close`: the sandbox's own processes may hold the streams open.
            child.once("exit", (code) => resolveOutcome({ code, output }));
        });
    }
}

/**
 * Waits until a condition holds.
 *
 * @param what the condition, for the message
 * @param limit milliseconds
 * @throws when it does not hold in time
 */
export async function until(what: string, limit: number, condition: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + limit;
    while (!(await condition())) {
        if (Date.now() > end) {
            throw new Error(`not in ${limit / 1_000} s: ${what}`);
        }
        await new Promise((resolvePause) => setTimeout(resolvePause, 500));
    }
}

/** Reports whether an Application is Synced and Healthy on a commit. */
export function isReady({ status }: LiveApplication, revision: string): boolean {
    return isStatusReady(status, revision);
}
