import { Failure } from "../lib/failure";
import { findOnPath } from "../lib/paths";
import { run } from "../lib/run";

/**
 * Installs packages of Debian or Ubuntu without recommended ones.
 *
 * @param what the missing program
 * @param howToGetIt the user's alternative
 * @throws Failure with both, where packages cannot be installed from here
 */
export async function aptGetInstall(what: string, howToGetIt: string, packages: readonly string[]): Promise<void> {
    if (!findOnPath("apt-get") || process.getuid?.() !== 0) {
        throw new Failure(`${what} is missing. ${howToGetIt}`);
    }
    // Waits for other apt-get processes: the machine's own upgrades, or parallel installations here.
    const aptGet = (...args: string[]) =>
        run("apt-get", ["--option=DPkg::Lock::Timeout=120", ...args], {
            env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
            timeout: 300_000,
        });
    const install = () =>
        aptGet("install", "--yes", "--no-install-recommends", "--option=Dpkg::Options::=--force-confold", ...packages);
    let outcome = await install();
    if (outcome.exitCode !== 0) {
        await aptGet("update");
        outcome = await install();
    }
    if (outcome.exitCode !== 0) {
        const last = outcome.output.trim().split("\n").at(-1) ?? "";
        throw new Failure(`${what} is missing and apt-get cannot install it (${last}). ${howToGetIt}`);
    }
}
