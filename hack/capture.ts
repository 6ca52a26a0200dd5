import { execFile } from "node:child_process";
import { basename } from "node:path";
import { promisify } from "node:util";
import { Failure } from "../lib/failure";
import { interruptionSignal, throwIfInterrupted } from "../lib/run";

/** Options of {@link capture}. */
export interface CaptureOptions {
    /** Standard input of the program. */
    readonly input?: string;
    /** Its environment, instead of this process's. */
    readonly env?: NodeJS.ProcessEnv;
    /** Failed action, with which the message begins. */
    readonly failure: string;
    /** Exit codes besides 0 that count as success; or a test of standard output, when only some outputs do. */
    readonly accepted?: readonly number[] | ((stdout: string) => boolean);
    /** Seconds that it may take; 0 for a program that has a limit of its own. Default: 600. */
    readonly limit?: number;
}

/** Error of a program that failed, was stopped, or could not be started. */
interface Ended extends Error {
    readonly code: unknown;
    readonly killed?: boolean;
    readonly stdout: string;
    readonly stderr?: string;
}

/**
 * Standard output of a program.
 *
 * @throws Failure with its standard error when it fails; with exit code 130, when this command is interrupted
 */
export async function capture(program: string, args: readonly string[], options: CaptureOptions): Promise<string> {
    const { input = "", env, failure, accepted = [], limit = 600 } = options;
    const running = promisify(execFile)(program, args, {
        env,
        maxBuffer: 256 * 1024 * 1024,
        signal: interruptionSignal,
        timeout: limit * 1_000,
    });
    // A program that exits early explains that on standard error.
    running.child.stdin?.on("error", () => undefined);
    running.child.stdin?.end(input);
    try {
        return (await running).stdout;
    } catch (error) {
        throwIfInterrupted();
        const { code, killed, stdout, stderr, message } = error as Ended;
        if (typeof code === "number" && (typeof accepted === "function" ? accepted(stdout) : accepted.includes(code))) {
            return stdout;
        }
        const own =
            code === "ENOENT"
                ? `${basename(program)} is not installed`
                : killed
                  ? `${basename(program)} did not exit within ${limit} s`
                  : undefined;
        const said = stderr?.trim() ?? "";
        throw new Failure(`${failure}: ${[own, said].filter(Boolean).join(": ") || message.trim()}`);
    }
}
