import { basename } from "node:path";
import { addResult, type Fault } from "./results";

/** Milliseconds; two fresh clusters take minutes on two cores. */
export const limit = 15 * 60_000;

/**
 * A test of a fault, whose figures go to bench/results/faults.json.
 *
 * @param body breaks something, calls `mended` once the fault is over, and returns when all expectations hold
 */
export function fault(what: Fault, body: (mended: () => void) => Promise<void>): void {
    test(
        `${what.broken}, ${what.when}: ${what.holds}`,
        async () => {
            const subject = basename(expect.getState().testPath ?? "", ".test.ts");
            const result = { subject, ...what, date: new Date().toISOString().slice(0, 10) };
            let since = Date.now();
            try {
                await body(() => {
                    since = Date.now();
                });
            } catch (error) {
                addResult({ ...result, survived: false });
                throw error;
            }
            addResult({ ...result, survived: true, seconds: Math.round((Date.now() - since) / 100) / 10 });
        },
        limit,
    );
}
