import type { Closeable } from "./http-server";

/**
 * Repeats work until closed, each time after the last run is done. Consecutive equal errors are logged once.
 *
 * @param interval milliseconds between
 * @param name for the log
 * @param log called with a line
 */
export function repeat(
    interval: number,
    name: string,
    body: () => Promise<void>,
    log: (line: string) => void,
): Closeable {
    let closed = false;
    let timer: NodeJS.Timeout | undefined;
    let logged = "";
    let current = Promise.resolve();
    const next = (wait: number) => {
        timer = setTimeout(() => {
            current = body()
                .catch((error: unknown) => {
                    const message = error instanceof Error ? error.message : String(error);
                    if (message !== logged) {
                        logged = message;
                        log(`${name}: ${message}`);
                    }
                })
                .finally(() => {
                    if (!closed) {
                        next(interval);
                    }
                });
        }, wait);
    };
    next(0);
    return {
        close: async () => {
            closed = true;
            clearTimeout(timer);
            await current;
        },
    };
}
