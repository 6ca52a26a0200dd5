import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds between looks. */
const interval = 200;

/**
 * Polls until there is a result.
 *
 * @param what for the error
 * @param look returns undefined or false to continue; an error continues too
 * @param limit milliseconds
 * @throws after the limit, with the last error
 */
export async function eventually<T>(
    what: string,
    look: () => Promise<T | undefined | false> | T | undefined | false,
    limit = 60_000,
): Promise<T> {
    const end = Date.now() + limit;
    let last: unknown;
    do {
        try {
            const seen = await look();
            if (seen !== undefined && seen !== false) {
                return seen;
            }
            last = undefined;
        } catch (error) {
            last = error;
        }
        await delay(interval);
    } while (Date.now() < end);
    throw new Error(`not within ${limit / 1000} s: ${what}`, { cause: last });
}
