import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { tryLock } from "./lock";
import { cacheDirectory } from "./paths";

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

/** Folder with a lock for each port that a running process has picked, since its program may not listen yet. */
const locks = join(cacheDirectory, "ports");

const held: (() => void)[] = [];
process.once("exit", () => {
    for (const release of held) {
        release();
    }
});

/** Picks a port for the life of this process. */
async function pick(): Promise<number> {
    for (;;) {
        const port = randomInt(range.from, range.before);
        // Locked first: the program of a process that has just ended may listen by now.
        const release = tryLock(join(locks, String(port)));
        if (release && (await isFree(port))) {
            held.push(release);
            return port;
        }
        release?.();
    }
}

/** Different free ports of loopback, which no other process of this user picks while this one runs. */
export async function freePorts<T extends string>(...names: T[]): Promise<Record<T, number>> {
    const found: [T, number][] = [];
    for (const name of names) {
        found.push([name, await pick()]);
    }
    return Object.fromEntries(found) as Record<T, number>;
}

/** One of {@link freePorts}. */
export async function freePort(): Promise<number> {
    return (await freePorts("port")).port;
}
