import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";

// Milliseconds for a program to start, which takes long on a busy machine.
jest.setTimeout(60_000);

/** Options of {@link Program}. */
export type ProgramOptions = Pick<SpawnOptions, "cwd" | "env" | "uid" | "gid">;

/** A real program that a test runs, with its output. */
export class Program {
    /** Its output on both streams, in order. */
    output = "";
    private readonly child: ChildProcess;
    private readonly ended: Promise<number | null>;
    private hasEnded = false;

    constructor(
        private readonly path: string,
        args: readonly string[],
        options: ProgramOptions = {},
    ) {
        this.child = spawn(path, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
        const add = (chunk: Buffer) => {
            this.output += chunk.toString();
        };
        this.child.stdout?.on("data", add);
        this.child.stderr?.on("data", add);
        this.ended = new Promise((resolve, reject) => {
            this.child.once("error", reject);
            this.child.once("close", (code) => {
                this.hasEnded = true;
                resolve(code);
            });
        });
    }

    /** Its exit code, once it ends; null when a signal ended it. */
    exit(): Promise<number | null> {
        return this.ended;
    }

    /**
     * Waits until a condition holds.
     *
     * @throws Error with the program's output when it ends before, or half a minute is over
     */
    async until(condition: () => Promise<boolean>): Promise<void> {
        for (const deadline = Date.now() + 30_000; !(await condition().catch(() => false)); await delay(50)) {
            if (this.hasEnded || Date.now() > deadline) {
                throw new Error(`${this.path} ${this.hasEnded ? "ended" : "does not get ready"}:\n${this.output}`);
            }
        }
    }

    /** Waits until it answers a GET request with success. */
    async answers(url: string): Promise<void> {
        await this.until(async () => (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok);
    }

    /** Ends it. */
    async stop(): Promise<void> {
        this.child.kill();
        await this.ended;
    }
}

/** Runs a program to its end. */
export async function runToEnd(
    path: string,
    args: readonly string[],
    options: ProgramOptions = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
    const program = new Program(path, args, options);
    const code = await program.exit();
    return { code, output: program.output };
}
