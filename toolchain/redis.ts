import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { Failure } from "./failure";
import { findOnPath } from "./paths";
import { run } from "./run";
import { installedRedis, redisPath } from "./tools";

const howToGetIt =
    "Argo CD keeps its cache in Redis. Install redis-server (Debian, Ubuntu: `sudo apt-get install redis-server`; " +
    "Fedora: `sudo dnf install redis`; macOS: `brew install redis`), and run it again.";

/** Whether redis-server can be run. */
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
    if (!findOnPath("apt-get") || process.getuid?.() !== 0) {
        throw new Failure(`redis-server is missing. ${howToGetIt}`);
    }
    const aptGet = (...args: string[]) =>
        run("apt-get", args, { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 300_000 });
    const install = () => aptGet("install", "--yes", "--no-install-recommends", "redis-tools");
    let outcome = await install();
    if (outcome.exitCode !== 0) {
        await aptGet("update");
        outcome = await install();
    }
    const program = findOnPath("redis-check-rdb");
    if (outcome.exitCode !== 0 || program === undefined) {
        const last = outcome.output.trim().split("\n").at(-1) ?? "";
        throw new Failure(`redis-server is missing and apt-get cannot install it (${last}). ${howToGetIt}`);
    }
    mkdirSync(dirname(installedRedis), { recursive: true });
    rmSync(installedRedis, { force: true });
    symlinkSync(program, installedRedis);
}
