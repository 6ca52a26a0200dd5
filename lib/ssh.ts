import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Failure } from "./failure";

/** An sshd, and the one public key that it is trusted by. */
export interface SshTarget {
    readonly address: string;
    readonly port: number;
    readonly user: string;
    /** Type and key, as in an authorized_keys file. */
    readonly hostKey: string;
}

/** How {@link ssh} logs in, and what it sends. */
export interface SshOptions {
    /** Standard input of the remote command. */
    readonly input: string;
    /** Private key to log in with; the user's own keys and agent by default. */
    readonly privateKey?: string;
    /** Milliseconds for the whole session; unlimited by default. */
    readonly timeout?: number;
}

/** End of a session. */
export interface SshOutcome {
    /** Exit code of the remote command; 255 for an error of the connection, null for a session that was stopped. */
    readonly code: number | null;
    readonly stdout: string;
    readonly stderr: string;
}

/** Shell command that runs standard input as root; `word` is the script's first argument. */
export const asRoot = (word: string) =>
    `if [ "$(id -u)" = 0 ]; then exec bash -s ${word}; else exec sudo -n bash -s ${word}; fi`;

/**
 * Runs a command on another host by OpenSSH's client, which trusts the target's own host key and no other.
 *
 * @throws Failure where no client is installed
 */
export async function ssh(target: SshTarget, command: readonly string[], options: SshOptions): Promise<SshOutcome> {
    const { address, port, user, hostKey } = target;
    const [type = "", key = ""] = hostKey.split(" ");
    const folder = mkdtempSync(join(tmpdir(), "hearth-ssh-"));
    const remove = () => rmSync(folder, { recursive: true, force: true });
    process.once("exit", remove);
    try {
        const knownHosts = join(folder, "known_hosts");
        writeFileSync(knownHosts, `target ${type} ${key}\n`, { mode: 0o600 });
        const settings: Record<string, string> = {
            BatchMode: "yes",
            ConnectTimeout: "10",
            GlobalKnownHostsFile: "/dev/null",
            HostKeyAlgorithms: type === "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : type,
            HostKeyAlias: "target",
            LogLevel: "ERROR",
            ServerAliveInterval: "10",
            StrictHostKeyChecking: "yes",
            UserKnownHostsFile: knownHosts,
        };
        const own: string[] = [];
        if (options.privateKey !== undefined) {
            own.push("-F", "none");
            const identity = join(folder, "key");
            writeFileSync(identity, `${options.privateKey.trim()}\n`, { mode: 0o600 });
            Object.assign(settings, { IdentitiesOnly: "yes", IdentityAgent: "none", IdentityFile: identity });
        }
        const flags = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
        const child = spawn("ssh", [...own, "-T", "-p", `${port}`, ...flags, `${user}@${address}`, ...command], {
            stdio: ["pipe", "pipe", "pipe"],
            ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
        });
        // A connection that is refused ends before it has read anything.
        child.stdin.on("error", () => undefined);
        child.stdin.end(options.input);
        const ended = new Promise<number | null>((resolve, reject) => {
            child.on("error", () => reject(new Failure("ssh is not installed: install an OpenSSH client")));
            child.on("close", resolve);
        });
        const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
        return { code, stdout, stderr };
    } finally {
        process.off("exit", remove);
        remove();
    }
}
