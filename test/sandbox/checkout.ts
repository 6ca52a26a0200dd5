import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pulumiVersion } from "../../toolchain/pulumi-version";
import { tool } from "../../toolchain/tools";

const repository = resolve(__dirname, "../..");

/** Milliseconds that one step of a dialog may take: Pulumi's start and a key derivation, on a busy machine. */
const stepLimit = 60_000;

/** End of a command. */
export interface Outcome {
    readonly code: number | null;
    readonly output: string;
}

/** A command at a terminal, as its user sees it. */
export class Dialog {
    private output = "";
    private seen = 0;
    private readonly ended: Promise<number | null>;
    private changed: () => void = () => undefined;

    constructor(private readonly child: ChildProcess) {
        child.stdout?.on("data", (chunk: Buffer) => {
            this.output += chunk.toString();
            this.changed();
        });
        this.ended = new Promise((done) => child.once("close", done));
    }

    /** Waits until `text` is shown after the previous match, then types `keys`. */
    async answer(text: string, keys: string): Promise<void> {
        const from = this.seen;
        await new Promise<void>((done, reject) => {
            const timer = setTimeout(() => {
                reject(new Error(`"${text}" is not shown:\n${this.output.slice(from)}`));
            }, stepLimit);
            this.changed = () => {
                const at = this.output.indexOf(text, from);
                if (at >= 0) {
                    this.seen = at + text.length;
                    clearTimeout(timer);
                    done();
                }
            };
            this.changed();
        });
        this.child.stdin?.write(keys);
    }

    async end(): Promise<Outcome> {
        return { code: await this.ended, output: this.output };
    }
}

/** A copy of the work tree without its tests, with a wrapper of Pulumi that records its calls. */
export class Checkout {
    readonly root = mkdtempSync(join(tmpdir(), "hearth-checkout-"));
    private readonly calls = join(this.root, ".calls");
    private readonly environment: NodeJS.ProcessEnv;
    private readonly children = new Set<ChildProcess>();

    constructor() {
        const files = execFileSync("git", ["-C", repository, "ls-files", "-z", "-co", "--exclude-standard"]);
        for (const file of files
            .toString()
            .split("\0")
            .filter((name) => name !== "" && !name.startsWith("test/"))) {
            mkdirSync(join(this.root, dirname(file)), { recursive: true });
            cpSync(join(repository, file), join(this.root, file), { recursive: true, verbatimSymlinks: true });
        }
        symlinkSync(join(repository, "node_modules"), join(this.root, "node_modules"));
        const home = join(this.root, ".pulumi-home");
        const bin = join(home, "versions", pulumiVersion, "bin");
        mkdirSync(bin, { recursive: true });
        const recording = `#!/bin/sh\nprintf '%s\\n' "$*" >> '${this.calls}'\nexec '${tool("pulumi")}' "$@"\n`;
        writeFileSync(join(bin, "pulumi"), recording, { mode: 0o755 });
        this.environment = { PATH: process.env["PATH"], HOME: process.env["HOME"], PULUMI_HOME: home };
    }

    /** The arguments of every call of Pulumi. */
    get pulumiCalls(): string {
        return readFileSync(this.calls, "utf8");
    }

    read(file: string): string {
        return readFileSync(join(this.root, file), "utf8");
    }

    write(file: string, text: string): void {
        writeFileSync(join(this.root, file), text);
    }

    /** The names of files in which `text` stands, from the top folder. */
    filesWith(text: string): string[] {
        return readdirSync(this.root, { recursive: true, withFileTypes: true })
            .filter((entry) => entry.isFile())
            .map((entry) => join(entry.parentPath, entry.name).slice(this.root.length + 1))
            .filter((file) => this.read(file).includes(text));
    }

    /** Runs a command with `input` on its standard input. */
    async run(command: readonly string[], input: string, environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
        const child = this.spawn(command, environment);
        let output = "";
        for (const stream of [child.stdout, child.stderr]) {
            stream?.on("data", (chunk: Buffer) => {
                output += chunk.toString();
            });
        }
        child.stdin?.end(input);
        const code = await new Promise<number | null>((done) => child.once("close", done));
        return { code, output };
    }

    /** Runs a command at a terminal. */
    dialog(command: string, environment: NodeJS.ProcessEnv = {}): Dialog {
        const sized = `stty columns 120 rows 50; ${command}`;
        return new Dialog(this.spawn(["script", "--quiet", "--return", "--command", sized, "/dev/null"], environment));
    }

    /** Ends its processes, and removes the copy. */
    async remove(): Promise<void> {
        const running = [...this.children].filter((child) => child.exitCode === null && child.signalCode === null);
        await Promise.all(
            running.map((child) => {
                const ended = new Promise((done) => child.once("close", done));
                child.kill();
                return ended;
            }),
        );
        rmSync(this.root, { recursive: true });
    }

    private spawn([program = "", ...args]: readonly string[], environment: NodeJS.ProcessEnv): ChildProcess {
        const env = { ...this.environment, ...environment };
        const child = spawn(program, args, { cwd: this.root, env, stdio: ["pipe", "pipe", "pipe"] });
        this.children.add(child);
        return child;
    }
}
