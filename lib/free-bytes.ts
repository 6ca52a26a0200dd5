import { statfsSync } from "node:fs";

/** How many bytes whoever runs this may still write on the disk with a path. */
export function freeBytes(path: string): number {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
}
