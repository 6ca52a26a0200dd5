import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join, resolve, sep } from "node:path";

/** Home directory of the user, who may have none: a container's number without a name. */
export function homeDirectory(): string {
    try {
        return homedir();
    } catch {
        return "/nonexistent";
    }
}

/** Folder of the built tools, outside the work tree: a fresh clone rebuilds nothing. */
export const cacheDirectory = join(
    // A relative one is ignored (XDG Base Directory Specification).
    [process.env["XDG_CACHE_HOME"] ?? ""].find(isAbsolute) ?? join(homeDirectory(), ".cache"),
    "hearth",
);

/** Reports whether a path is a file that can be run. */
export function isExecutable(path: string): boolean {
    try {
        accessSync(path, constants.X_OK);
        const status = statSync(path);
        return status.isFile() && status.size > 0;
    } catch {
        return false;
    }
}

/**
 * The absolute path of a command on PATH, or undefined. Commands of npm packages are skipped: npm's scripts have them on
 * PATH, and the one named `pulumi` starts the CLI that setup installs, so it must not be installed as that.
 */
export function findOnPath(command: string): string | undefined {
    return (process.env["PATH"] ?? "")
        .split(delimiter)
        .filter((directory) => directory !== "")
        .map((directory) => resolve(directory, command))
        .find((path) => isExecutable(path) && !realpathSync(path).split(sep).includes("node_modules"));
}
