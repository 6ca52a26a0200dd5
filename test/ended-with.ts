import { stripVTControlCharacters } from "node:util";

/** How a program ended, as the runners of the tests tell it. */
interface Ended {
    readonly code?: number | null;
    readonly exitCode?: number | null;
    /** What it printed. */
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
