import { stripVTControlCharacters } from "node:util";

/** Result of a program, as the tests' runners report it. */
interface Ended {
    readonly code?: number | null;
    readonly exitCode?: number | null;
    /** Its output. */
    readonly output: string;
}

declare global {
    namespace jest {
        interface Matchers<R> {
            /** Expects a program's exit code; a failure shows its whole output. */
            toHaveEndedWith(expected: number): R;
        }
    }
}

expect.extend({
    toHaveEndedWith({ code, exitCode, output }: Ended, expected: number) {
        const received = code === undefined ? exitCode : code;
        return {
            pass: received === expected,
            message: () =>
                `exited with ${received}, ${this.isNot ? "which" : `not ${expected}: it`} ` +
                `printed:\n${stripVTControlCharacters(output)}`,
        };
    },
});
