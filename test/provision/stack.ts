import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { stringify } from "yaml";
import { type ExportedState, withoutResources } from "../../hack/dead-node";
import { runningProcesses, signal } from "../../lib/processes";
import { type Outcome, run } from "../../lib/run";
import { tool } from "../../toolchain/tools";
import type { Network } from "./machines/network";

const repository = resolve(__dirname, "../..");

/** A run of Pulumi in progress. */
export interface Run {
    /** Ends when it does. */
    readonly outcome: Promise<Outcome>;
    /** Waits until it has printed `text`; false if it ended before. */
    prints(text: string | RegExp): Promise<boolean>;
    /** Process id of Pulumi. */
    readonly pid: number | undefined;
    /** Kills it and the processes of its group. */
    kill(): void;
}

/** Program of a stack: only the nodes (program.ts), or the home's own index.ts, in a separate checkout. */
export type Program = "nodes" | "home";

/** A stack with its own state, run in a test's network. */
export class Stack {
    private readonly runs = new Set<Run>();
    /** The checkout that the program is run in. */
    readonly folder = mkdtempSync(join(tmpdir(), "hearth-provision-"));

    private constructor(private readonly network: Network) {}

    /**
     * @param config values by key; structured values stay structured
     * @param secrets values by key, which are encrypted
     */
    static async create(
        network: Network,
        secrets: Readonly<Record<string, string>>,
        program: Program = "nodes",
    ): Promise<Stack> {
        const stack = new Stack(network);
        const copied = [
            ...["charts", "clusters", "components", "config", "hack", "lib", "provision", "sandbox", "toolchain"],
            ...["Pulumi.yaml", "package.json", "package-lock.json", "program.cjs"],
            ...(program === "home" ? [".gitignore", "index.ts"] : ["test/provision/program.ts"]),
        ];
        for (const each of copied) {
            cpSync(join(repository, each), join(stack.folder, each), { recursive: true, verbatimSymlinks: true });
        }
        symlinkSync(join(repository, "node_modules"), join(stack.folder, "node_modules"));
        if (program === "nodes") {
            writeFileSync(join(stack.folder, "index.ts"), 'export * from "./test/provision/program";\n');
        }
        mkdirSync(join(stack.folder, ".state"));
        await stack.pulumi("stack", "init", "test");
        for (const [key, value] of Object.entries(secrets)) {
            const child = spawn(...stack.command(["config", "set", "--secret", "--path", key, "--stack", "test"]));
            child.stdin?.end(value);
            const exitCode = await new Promise((done) => child.once("close", done));
            if (exitCode !== 0) {
                throw new Error(`${key} cannot be set`);
            }
        }
        cpSync(join(stack.folder, "Pulumi.test.yaml"), join(stack.folder, "secrets.yaml"));
        return stack;
    }

    /** Rewrites the stack's config, except its secrets. */
    configure(config: Readonly<Record<string, unknown>>): void {
        const kept = readFileSync(join(this.folder, "secrets.yaml"), "utf8");
        const lines = stringify(
            Object.fromEntries(Object.entries(config).map(([key, value]) => [`hearth:${key}`, value])),
        );
        writeFileSync(join(this.folder, "Pulumi.test.yaml"), `${kept}${lines.replace(/^/gm, "  ").trimEnd()}\n`);
    }

    /** Runs a command of Pulumi to its end. */
    async pulumi(...args: string[]): Promise<Outcome> {
        const [program, parameters, options] = this.command([...args, "--non-interactive"]);
        return run(program, parameters, options);
    }

    /** Runs one of the verbs in hack/ to its end. */
    async hack(verb: string, ...args: string[]): Promise<Outcome> {
        const [program, parameters, options] = this.command(
            [...args, "--stack", "test"],
            join(this.folder, "hack", verb),
        );
        return run(program, parameters, options);
    }

    /** Runs a command line of a page, and confirms its prompt. */
    async type(line: string): Promise<Outcome> {
        const [program, parameters, options] = this.command(["-c", line], "sh");
        return run(program, parameters, { ...options, env: { ...options.env, PULUMI_SKIP_CONFIRMATIONS: "true" } });
    }

    /** Runs `pulumi up` to its end. */
    async up(show?: (text: string) => void): Promise<Outcome> {
        return this.start(show).outcome;
    }

    /**
     * Starts `pulumi up`.
     *
     * @param show called with each piece of its output
     */
    start(show?: (text: string) => void): Run {
        const [program, args, options] = this.command(["up", "--yes", "--skip-preview", "--non-interactive"]);
        const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"], detached: true });
        const run = follow(child, show);
        this.runs.add(run);
        void run.outcome.finally(() => this.runs.delete(run));
        return run;
    }

    /** The value of an output, decrypted. */
    async output(name: string): Promise<string> {
        const { exitCode, output } = await this.pulumi("stack", "output", name, "--show-secrets");
        if (exitCode !== 0) {
            throw new Error(output);
        }
        return output;
    }

    /** Removes the scripts from the state, so that all of them run again. */
    async forgetScripts(): Promise<void> {
        const file = join(this.folder, "exported.json");
        const succeed = async (...args: string[]) => {
            const { exitCode, output } = await this.pulumi(...args);
            if (exitCode !== 0) {
                throw new Error(output);
            }
        };
        await succeed("stack", "export", "--file", file);
        const state: ExportedState = JSON.parse(readFileSync(file, "utf8"));
        const urns = (state.deployment.resources ?? []).map(({ urn }) => urn);
        const scripts = urns.filter((urn) => urn.includes("command:remote:Command::"));
        writeFileSync(file, JSON.stringify(withoutResources(state, scripts)));
        await succeed("stack", "import", "--file", file);
    }

    /** Deletes the state, like a failed disk; the config remains, with an empty stack of the same name. */
    async loseState(): Promise<void> {
        rmSync(join(this.folder, ".state"), { recursive: true });
        mkdirSync(join(this.folder, ".state"));
        const { exitCode, output } = await this.pulumi("stack", "init", "test");
        if (exitCode !== 0) {
            throw new Error(output);
        }
    }

    /** Removes it without changing the machines, and ends the run of a failed test. */
    remove(): void {
        for (const { pid } of this.runs) {
            if (pid !== undefined) {
                killTree(pid);
            }
        }
        // A killed process may still finish a write.
        rmSync(this.folder, { recursive: true, maxRetries: 5 });
    }

    private command(
        args: readonly string[],
        program: string = tool("pulumi"),
    ): [string, string[], { cwd: string; env: NodeJS.ProcessEnv }] {
        const [command, parameters] = this.network.command(program, ...args);
        const env = {
            ...process.env,
            PATH: [dirname(tool("pulumi")), join(repository, "node_modules/.bin"), process.env["PATH"] ?? ""].join(
                delimiter,
            ),
            PULUMI_BACKEND_URL: `file://${join(this.folder, ".state")}`,
            PULUMI_CONFIG_PASSPHRASE: "test",
            PULUMI_SKIP_UPDATE_CHECK: "true",
        };
        return [command, parameters, { cwd: this.folder, env }];
    }
}

/** Kills a process and its descendants: plugins of Pulumi have process groups of their own, and outlive it by minutes. */
function killTree(pid: number): void {
    // A stopped process starts no others.
    signal(pid, "SIGSTOP");
    for (const each of runningProcesses()) {
        if (each.parent === pid) {
            killTree(each.pid);
        }
    }
    signal(pid, "SIGKILL");
}

function follow(child: ChildProcess, show?: (text: string) => void): Run {
    let output = "";
    let changed: () => void = () => undefined;
    for (const stream of [child.stdout, child.stderr]) {
        stream?.on("data", (chunk: Buffer) => {
            output += chunk.toString();
            show?.(chunk.toString());
            changed();
        });
    }
    const outcome = new Promise<Outcome>((done, reject) => {
        child.once("error", reject);
        child.once("close", (code) => {
            done({ exitCode: code ?? -1, output });
            changed();
        });
    });
    return {
        outcome,
        pid: child.pid,
        prints: (text) =>
            new Promise((found) => {
                changed = () => {
                    if (output.match(text)) {
                        found(true);
                    } else if (child.exitCode !== null) {
                        found(false);
                    }
                };
                changed();
            }),
        kill: () => {
            if (child.pid !== undefined) {
                process.kill(-child.pid, "SIGKILL");
            }
        },
    };
}
