import { isNativeError } from "node:util/types";
import { visible } from "./characters";

/**
 * Error that the user can fix. Only its message is shown, without a stack trace: the problem, its place, and the next
 * step.
 */
export class Failure extends Error {
    override readonly name = "Failure";

    /** Pulumi recognizes errors that it shows this way by this field (`RunError.isInstance`). */
    readonly __pulumiRunError = true;

    /** @param exitCode of the command that ends with this failure */
    constructor(
        message: string,
        readonly exitCode = 1,
    ) {
        super(message);
    }
}

/** A string that may repeat external input, without characters that a terminal would act on. */
function plain(text: string): string {
    return text.replace(/[^\n\t]+/g, visible);
}

/** The text for the user: a failure's own message, or the whole stack of a defect. */
export function describe(error: unknown): string {
    if (error instanceof Failure) {
        return plain(error.message);
    }
    // A system error, such as a full disk or missing permission. The message contains the file.
    if (isNativeError(error) && "syscall" in error) {
        return plain(error.message);
    }
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Runs a command's main function; a failure ends it with its message and its exit code. */
export function runMain(command: string, main: () => Promise<number>): void {
    main().then(
        // Success requires that all output was written: the disk of a redirection may be full.
        (exitCode) => process.stdout.write("", () => process.exit(exitCode)),
        (error: unknown) => {
            process.stderr.write(`${command}: ${describe(error)}\n`);
            process.exit(error instanceof Failure ? error.exitCode : 1);
        },
    );
}
