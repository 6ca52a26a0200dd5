import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { Failure } from "../lib/failure";
import { findOnPath } from "../lib/paths";
import { aptGetInstall } from "./apt-get";
import { installedRedis, redisPath } from "./tools";

const howToGetIt =
    "Argo CD keeps its cache in Redis. Install redis-server (Debian, Ubuntu: `sudo apt-get install redis-server`; " +
    "Fedora: `sudo dnf install redis`; macOS: `brew install redis`), and rerun it.";

/** Reports whether redis-server can be run. */
export function hasRedis(): boolean {
    return redisPath() !== undefined;
}

/**
 * Installs Redis from Debian. The package redis-tools contains the program that redis-server is a link to; the package
 * redis-server adds a service, which is not needed here.
 *
 * @throws Failure with the way to install it if packages cannot be installed from here
 */
export async function installRedis(): Promise<void> {
    await aptGetInstall("redis-server", howToGetIt, ["redis-tools"]);
    const program = findOnPath("redis-check-rdb");
    if (program === undefined) {
        throw new Failure(`redis-server is missing, and redis-tools does not contain it. ${howToGetIt}`);
    }
    mkdirSync(dirname(installedRedis), { recursive: true });
    rmSync(installedRedis, { force: true });
    symlinkSync(program, installedRedis);
}
