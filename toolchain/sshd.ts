import { Failure } from "../lib/failure";
import { findOnPath, isExecutable } from "../lib/paths";
import { aptGetInstall } from "./apt-get";

const howToGetIt =
    "The tests copy to its SFTP server. Install it (Debian, Ubuntu: `sudo apt-get install openssh-server`; Fedora: `sudo dnf " +
    "install openssh-server`), and rerun it.";

function findSshd(): string | undefined {
    // Missing on the PATH of some users.
    return findOnPath("sshd") ?? (isExecutable("/usr/sbin/sshd") ? "/usr/sbin/sshd" : undefined);
}

/** Reports whether OpenSSH's server can be run. */
export function hasSshd(): boolean {
    return findSshd() !== undefined;
}

/**
 * The path of OpenSSH's server.
 *
 * @throws Failure when there is none
 */
export function sshdProgram(): string {
    const path = findSshd();
    if (path === undefined) {
        throw new Failure(`OpenSSH's server is missing. ${howToGetIt}`);
    }
    return path;
}

/**
 * Installs OpenSSH's server from Debian.
 *
 * @throws Failure with the way to install it if packages cannot be installed from here
 */
export async function installSshd(): Promise<void> {
    await aptGetInstall("OpenSSH's server", howToGetIt, ["openssh-server"]);
}
