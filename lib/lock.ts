import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { processIdentity } from "./process-identity";
import { throwIfInterrupted } from "./run";

/** Holder of a lock. */
export interface LockHolder {
    readonly pid: number;
    /** As {@link processIdentity} returns it. */
    readonly identity: string | undefined;
}

/** The running process that holds a lock; undefined if there is none, or if it has ended. */
export function lockHolder(path: string): LockHolder | undefined {
    try {
        const holder: LockHolder = JSON.parse(readFileSync(path, "utf8"));
        const identity = processIdentity(holder.pid);
        return identity !== undefined && identity === holder.identity ? holder : undefined;
    } catch {
        return undefined;
    }
}

/**
 * Takes a lock if it is free. A lock whose holder was killed is free.
 *
 * @param path of the lock file
 * @returns a function that releases it, or undefined when another process holds it
 */
export function tryLock(path: string): (() => void) | undefined {
    mkdirSync(dirname(path), { recursive: true });
    const mine = `${path}.${process.pid}`;
    const holder: LockHolder = { pid: process.pid, identity: processIdentity(process.pid) };
    // Written to a temporary file and linked: the lock never exists without its holder in it.
    writeFileSync(mine, JSON.stringify(holder));
    try {
        for (let attempt = 0; attempt < 3; attempt++) {
            try {
                linkSync(mine, path);
                return () => rmSync(path, { force: true });
            } catch (error) {
                if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
                    throw error;
                }
                if (lockHolder(path)) {
                    return undefined;
                }
                rmSync(path, { force: true });
            }
        }
        return undefined;
    } finally {
        rmSync(mine, { force: true });
    }
}

/**
 * Runs the body while holding a lock, after its current holder has released it.
 *
 * @param onWait called once with the holder when there is one
 */
export async function withLock<T>(path: string, onWait: (holder: LockHolder) => void, body: () => Promise<T>) {
    let release = tryLock(path);
    for (let notified = false; !release; release = tryLock(path)) {
        const holder = lockHolder(path);
        if (holder && !notified) {
            onWait(holder);
            notified = true;
        }
        await delay(200);
        throwIfInterrupted();
    }
    try {
        return await body();
    } finally {
        release();
    }
}
