import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";

/** Specification of a process. */
export interface ProcessSpec {
    /** Path of the program; under .sandbox/bin, which identifies it as the sandbox's own. */
    readonly program: string;
    readonly args: readonly string[];
    readonly env: NodeJS.ProcessEnv;
    readonly cwd: string;
    /** File that its output is appended to. */
    readonly logFile: string;
}

/** Milliseconds before a process that ended is started again: at first, and at most. */
const backoff = { first: 500, most: 30_000 };
/** Milliseconds after which a process counts as started. */
const stable = 30_000;
/** Milliseconds for a process to end gracefully. */
const grace = 5_000;

/** Keeps one process running: restarts it with a growing delay. */
export class Supervisor {
    #child: ChildProcess | undefined;
    #timer: NodeJS.Timeout | undefined;
    #wait = backoff.first;
    #stopped = false;

    /**
     * @param name for the log
     * @param log takes a line
     */
    constructor(
        readonly name: string,
        readonly spec: ProcessSpec,
        readonly log: (line: string) => void,
    ) {
        this.#start();
    }

    #start(): void {
        const { program, args, env, cwd, logFile } = this.spec;
        mkdirSync(dirname(logFile), { recursive: true });
        mkdirSync(cwd, { recursive: true });
        const output = openSync(logFile, "a");
        const started = Date.now();
        const child = spawn(program, args, { cwd, env, stdio: ["ignore", output, output] });
        closeSync(output);
        this.#child = child;
        this.log(`${this.name}: started as process ${child.pid}`);
        const ended = (why: string) => {
            this.#child = undefined;
            if (this.#stopped) {
                return;
            }
            this.#wait = Date.now() - started > stable ? backoff.first : Math.min(this.#wait * 2, backoff.most);
            this.log(`${this.name}: ended (${why}); starts again in ${this.#wait} ms; its log is ${logFile}`);
            this.#timer = setTimeout(() => this.#start(), this.#wait);
        };
        child.once("error", (error) => ended(error.message));
        child.once("exit", (code, signal) => ended(signal ?? `exit code ${code}`));
    }

    /** Ends the process and waits until it has. */
    async stop(): Promise<void> {
        this.#stopped = true;
        clearTimeout(this.#timer);
        const child = this.#child;
        if (child && child.exitCode === null && child.signalCode === null) {
            const gone = new Promise((resolve) => child.once("exit", resolve));
            child.kill("SIGTERM");
            const insist = setTimeout(() => child.kill("SIGKILL"), grace);
            await gone;
            clearTimeout(insist);
        }
        this.log(`${this.name}: stopped`);
    }
}
