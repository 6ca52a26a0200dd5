import { stripVTControlCharacters } from "node:util";

/** End of a program, as the tests' runners report it. */
interface Ended {
    readonly code?: number | null;
    readonly exitCode?: number | null;
    /** Its output. */
    readonly output: string;
}

declare global {
    namespace jest {
        interface Matchers<R> {
            /** A program's exit code; where it is another, all that the program printed is shown. */
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
                `ended with ${received}, ${this.isNot ? "which" : `not ${expected}: it`} ` +
                `printed:\n${stripVTControlCharacters(output)}`,
        };
    },
});
