import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Failure } from "../lib/failure";
import { interruptionSignal, throwIfInterrupted } from "../lib/run";

/** Options of {@link capture}. */
export interface CaptureOptions {
    /** Standard input of the program. */
    readonly input?: string;
    /** Its environment, instead of this process's. */
    readonly env?: NodeJS.ProcessEnv;
    /** Begins the message when it fails: the failed action. */
    readonly failure: string;
    /** Exit codes beside 0 that count as success; or a test of standard output, when only some outputs do. */
    readonly accepted?: readonly number[] | ((stdout: string) => boolean);
}

/**
 * Standard output of a program.
 *
 * @throws Failure with its standard error when it fails; with exit code 130, when this command is interrupted
 */
export async function capture(program: string, args: readonly string[], options: CaptureOptions): Promise<string> {
    const { input = "", env, failure, accepted = [] } = options;
    const running = promisify(execFile)(program, args, {
        env,
        maxBuffer: 256 * 1024 * 1024,
        signal: interruptionSignal,
    });
    // A program that ended early explains that on standard error.
    running.child.stdin?.on("error", () => undefined);
    running.child.stdin?.end(input);
    try {
        return (await running).stdout;
    } catch (error) {
        throwIfInterrupted();
        const { code, stdout, stderr, message } = error as Error & { code: unknown; stdout: string; stderr: string };
        if (typeof code === "number" && (typeof accepted === "function" ? accepted(stdout) : accepted.includes(code))) {
            return stdout;
        }
        throw new Failure(`${failure}: ${(stderr || message).trim()}`);
    }
}
