import { statfsSync } from "node:fs";

/** Free bytes for the current user on the disk that holds a path. */
export function freeBytes(path: string): number {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
}
