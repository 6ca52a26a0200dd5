import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Reports whether a port of loopback is free. */
export function isFree(port: number): Promise<boolean> {
    return new Promise((resolve) => {
        const server = createServer();
        server.once("error", () => resolve(false));
        server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
}

/**
 * Ports that Linux assigns to no connection by itself, and Kubernetes to no Service: a port picked now is still free
 * when its program starts later, or restarts.
 */
const range = { from: 20_000, before: 30_000 };

/** Picked by this process, which may not listen on them yet. */
const picked = new Set<number>();

/** Different free ports of loopback. Each is picked at random: concurrent sandboxes hardly ever pick the same. */
export async function freePorts<T extends string>(...names: T[]): Promise<Record<T, number>> {
    const found: [T, number][] = [];
    for (const name of names) {
        let port: number;
        do {
            port = randomInt(range.from, range.before);
        } while (picked.has(port) || !(await isFree(port)));
        picked.add(port);
        found.push([name, port]);
    }
    return Object.fromEntries(found) as Record<T, number>;
}

/** One of {@link freePorts}. */
export async function freePort(): Promise<number> {
    return (await freePorts("port")).port;
}
