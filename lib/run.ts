import { type SpawnOptions, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "./failure";

/** Result of a program. */
export interface Outcome {
    /** The exit code; 128 and the signal's number when a signal ended it. */
    readonly exitCode: number;
    /** Standard output and standard error, as they came. */
    readonly output: string;
}

const interruption = new AbortController();

/** Aborted by Ctrl-C and by SIGTERM: running programs end first, temporary files are deleted. */
export const interruptionSignal = interruption.signal;

/** Reports whether this command was interrupted. */
export function interrupted(): boolean {
    return interruption.signal.aborted;
}

/** Makes Ctrl-C and SIGTERM end running programs and then this command, with exit code 130. */
export function endGracefully(): void {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
        process.on(signal, () => interruption.abort());
    }
}

/** Throws if this command was interrupted. */
export function throwIfInterrupted(): void {
    if (interrupted()) {
        throw new Failure("interrupted; rerun it to continue from here", 130);
    }
}

/**
 * Waits.
 *
 * @throws Failure at once when this command is interrupted
 */
export async function pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: interruptionSignal }).catch(throwIfInterrupted);
}

/** Options of {@link run}. */
export interface RunOptions extends Pick<SpawnOptions, "cwd" | "env"> {
    /** Milliseconds after which the program is ended. */
    readonly timeout?: number;
    /** Called with each piece of output. */
    readonly onOutput?: (text: string) => void;
    /** Ends the program early. */
    readonly signal?: AbortSignal;
}

/**
 * Runs a program to its end. It stays in this command's process group, so that Ctrl-C reaches it too.
 *
 * @throws Failure with exit code 130 when this command is interrupted
 * @throws Error when the program cannot be started
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    throwIfInterrupted();
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: ["ignore", "pipe", "pipe"] });
        const chunks: string[] = [];
        const collect = (chunk: Buffer) => {
            chunks.push(chunk.toString());
            options.onOutput?.(chunk.toString());
        };
        child.stdout.on("data", collect);
        child.stderr.on("data", collect);
        const end = () => child.kill("SIGTERM");
        const timer = options.timeout === undefined ? undefined : setTimeout(end, options.timeout);
        interruption.signal.addEventListener("abort", end);
        options.signal?.addEventListener("abort", end);
        if (options.signal?.aborted) {
            end();
        }
        child.on("error", reject);
        child.on("close", (code, signal) => {
            clearTimeout(timer);
            interruption.signal.removeEventListener("abort", end);
            options.signal?.removeEventListener("abort", end);
            if (interrupted()) {
                reject(new Failure("interrupted; rerun it to continue from here", 130));
            } else {
                resolve({ exitCode: signal === null ? (code ?? 0) : 128, output: chunks.join("") });
            }
        });
    });
}
