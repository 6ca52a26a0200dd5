import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Failure } from "../lib/failure";
import { interruptionSignal, throwIfInterrupted } from "../lib/run";

/** Options of {@link capture}. */
export interface CaptureOptions {
    /** Standard input of the program. */
    readonly input?: string;
    /** Its environment, in place of ours. */
    readonly env?: NodeJS.ProcessEnv;
    /** Begins the message when it fails: what could not be done. */
    readonly failure: string;
    /** Exit codes beside 0 that are no failure; or what its standard output says then, if that is none. */
    readonly accepted?: readonly number[] | ((stdout: string) => boolean);
}

/**
 * Standard output of a program.
 *
 * @throws Failure with what it printed on its standard error, when it fails; with exit code 130, when this command is
 *     interrupted
 */
export async function capture(program: string, args: readonly string[], options: CaptureOptions): Promise<string> {
    const { input = "", env, failure, accepted = [] } = options;
    const running = promisify(execFile)(program, args, {
        env,
        maxBuffer: 256 * 1024 * 1024,
        signal: interruptionSignal,
    });
    // A program that ended early says why on standard error.
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
