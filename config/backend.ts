import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { Failure } from "../lib/failure";
import { freeBytes } from "../lib/free-bytes";
import { readYaml } from "./yaml";

/** Mebibytes that have to be free on the disk with the state: each write creates a new file beside the old one and a copy. */
const needed = 64;

/**
 * The folder that a file backend's URL means.
 *
 * @param url as `pulumi whoami --verbose` tells it
 * @param root what a relative path starts from: the folder of Pulumi.yaml
 * @returns undefined for a backend of another kind
 */
export function backendFolder(url: string, root: string): string | undefined {
    const [, path] = /^file:\/\/([^?]*)/.exec(url) ?? [];
    return path === undefined ? undefined : resolve(root, path.replace(/^~/, homedir()));
}

/**
 * Refuses to begin where the state could not be written to its end: on a disk that is full, Pulumi's file backend cuts
 * short the state and its copy, after five minutes in which it tries again.
 *
 * @param root the folder of Pulumi.yaml
 * @throws Failure that says where there is no room
 */
export function checkFreeSpace(root: string): void {
    const project = readYaml(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as { backend?: { url?: string } };
    // Without the line, the user has logged in to another backend.
    const folder = backendFolder(process.env["PULUMI_BACKEND_URL"] ?? project.backend?.url ?? "", root);
    const place = folder === undefined ? undefined : [join(folder, ".pulumi"), folder].find(existsSync);
    if (place === undefined) {
        return;
    }
    const free = freeBytes(place) / 2 ** 20;
    if (free < needed) {
        throw new Failure(
            `The disk with the state has ${free.toFixed(1)} MiB left, and writing the state takes up to ${needed}: ${place}\n` +
                "Nothing was changed. Make room there, and run it again.",
        );
    }
}
