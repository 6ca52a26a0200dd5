import { visible } from "./characters";

/**
 * Something that the user can fix. It is shown as its message alone, without a stack trace: what happened, where, and what
 * to do next.
 */
export class Failure extends Error {
    override readonly name = "Failure";

    /** By this, Pulumi knows an error that it shows in the same way (`RunError.isInstance`). */
    readonly __pulumiRunError = true;

    /** @param exitCode of the command that ends with this failure */
    constructor(
        message: string,
        readonly exitCode = 1,
    ) {
        super(message);
    }
}

/** A text that may repeat what somebody else wrote, without what a terminal would act on. */
function plain(text: string): string {
    return text.replace(/[^\n\t]+/g, visible);
}

/** The text for the user: a failure's own words, or the whole stack of a defect. */
export function describe(error: unknown): string {
    if (error instanceof Failure) {
        return plain(error.message);
    }
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Runs a command's main function; a failure ends it with its message and its exit code. */
export function runMain(command: string, main: () => Promise<number>): void {
    main().then(
        (exitCode) => process.exit(exitCode),
        (error: unknown) => {
            process.stderr.write(`${command}: ${describe(error)}\n`);
            process.exit(error instanceof Failure ? error.exitCode : 1);
        },
    );
}
