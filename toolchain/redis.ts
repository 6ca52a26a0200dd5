import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { Failure } from "../lib/failure";
import { findOnPath } from "../lib/paths";
import { aptGetInstall } from "./apt-get";
import { installedRedis, redisPath } from "./tools";

const howToGetIt =
    "Argo CD keeps its cache in Redis. Install redis-server (Debian, Ubuntu: `sudo apt-get install redis-server`; " +
    "Fedora: `sudo dnf install redis`; macOS: `brew install redis`), and run it again.";

/** Reports whether redis-server can be run. */
export function hasRedis(): boolean {
    return redisPath() !== undefined;
}

/**
 * Installs Redis from Debian. The package redis-tools holds the one program of which redis-server is a name; the
 * package redis-server adds the service, which nobody asked for here.
 *
 * @throws Failure that says how to get it, where packages cannot be installed from here
 */
export async function installRedis(): Promise<void> {
    await aptGetInstall("redis-server", howToGetIt, ["redis-tools"]);
    const program = findOnPath("redis-check-rdb");
    if (program === undefined) {
        throw new Failure(`redis-server is missing, and redis-tools does not hold it. ${howToGetIt}`);
    }
    mkdirSync(dirname(installedRedis), { recursive: true });
    rmSync(installedRedis, { force: true });
    symlinkSync(program, installedRedis);
}
