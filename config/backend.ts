import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Failure } from "../lib/failure";
import { freeBytes } from "../lib/free-bytes";
import { homeDirectory } from "../lib/paths";
import { readYaml } from "./yaml";

/**
 * Mebibytes that have to be free on the disk with the state: each write creates a new file in addition to the old one
 * and a copy.
 */
const needed = 64;

/**
 * The folder of a file backend's URL.
 *
 * @param url as `pulumi whoami --verbose` prints it
 * @param root folder that a relative path starts from: that of Pulumi.yaml
 * @returns undefined for a backend of another kind
 */
export function backendFolder(url: string, root: string): string | undefined {
    const [, path] = /^file:\/\/([^?]*)/.exec(url) ?? [];
    return path === undefined ? undefined : resolve(root, path.replace(/^~/, homeDirectory()));
}

/**
 * Refuses to start if the state could not be written completely: on a full disk, Pulumi's file backend truncates the
 * state and its copy, after five minutes of retries.
 *
 * @param root the folder of Pulumi.yaml
 * @throws Failure with the full disk
 */
export function checkFreeSpace(root: string): void {
    const project = readYaml(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as { backend?: { url?: string } };
    // Without this line, the user has logged in to another backend.
    const folder = backendFolder(process.env["PULUMI_BACKEND_URL"] ?? project.backend?.url ?? "", root);
    const place = folder === undefined ? undefined : [join(folder, ".pulumi"), folder].find(existsSync);
    if (place === undefined) {
        return;
    }
    const free = freeBytes(place) / 2 ** 20;
    if (free < needed) {
        throw new Failure(
            `The disk with the state has ${free.toFixed(1)} MiB left, and writing the state takes up to ${needed}: ${place}\n` +
                "Nothing was changed. Make room there, and rerun it.",
        );
    }
}
