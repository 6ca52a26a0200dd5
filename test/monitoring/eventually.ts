import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds between looks. */
const interval = 200;

/**
 * Looks again and again until there is something to see.
 *
 * @param what for the error
 * @param look undefined or false while it is not there; an error counts as not there yet
 * @param limit milliseconds
 * @throws once the limit is over, with what the last look threw
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
