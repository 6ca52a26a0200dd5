import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Failure } from "./failure";
import { shellQuote } from "./shell";
import { temporaryFolder } from "./temporary-folder";

/** An sshd, and the one public key that it is trusted by. */
export interface SshTarget {
    readonly address: string;
    readonly port: number;
    readonly user: string;
    /** Type and key, as in an authorized_keys file. */
    readonly hostKey: string;
}

/** Credentials for a login. */
export interface SshLogin {
    /** Private key to log in with; the user's own keys and agent by default. */
    readonly privateKey?: string | undefined;
    /** True if only the keys of the agent at SSH_AUTH_SOCK are used. */
    readonly agent?: boolean | undefined;
    /** Host through which the target is reached, with the same login. */
    readonly jumpHost?: SshTarget | undefined;
}

/** Login and input of {@link ssh}. */
export interface SshOptions extends SshLogin {
    /** Standard input of the remote command. */
    readonly input: string;
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

/** Arguments of ssh for a host, trusted by its one key, which is written to a file. */
function destination(
    { address, port, user, hostKey }: SshTarget,
    alias: string,
    knownHosts: string,
    more: Readonly<Record<string, string>>,
): string[] {
    const [type = "", key = ""] = hostKey.split(" ");
    writeFileSync(knownHosts, `${alias} ${type} ${key}\n`, { mode: 0o600 });
    const settings = {
        BatchMode: "yes",
        ConnectTimeout: "10",
        GlobalKnownHostsFile: "/dev/null",
        HostKeyAlgorithms: type === "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : type,
        HostKeyAlias: alias,
        LogLevel: "ERROR",
        ServerAliveInterval: "10",
        StrictHostKeyChecking: "yes",
        UserKnownHostsFile: knownHosts,
        ...more,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    return ["-p", `${port}`, ...flags, `${user}@${address}`];
}

/** An argument within ProxyCommand, which a shell reads; ssh itself replaces %h and %p with the target. */
const quoteForProxy = (argument: string) =>
    argument === "%h:%p" ? argument : shellQuote(argument.replaceAll("%", "%%"));

/**
 * Runs a command on another host by OpenSSH's client, which trusts the target's own host key and no other.
 *
 * @throws Failure where no client is installed
 */
export async function ssh(target: SshTarget, command: readonly string[], options: SshOptions): Promise<SshOutcome> {
    const folder = temporaryFolder();
    const remove = () => rmSync(folder, { recursive: true, force: true });
    process.once("exit", remove);
    try {
        const { privateKey, agent = false, jumpHost } = options;
        const login: Record<string, string> = agent
            ? { IdentityAgent: process.env["SSH_AUTH_SOCK"] ?? "none", IdentityFile: "none" }
            : {};
        if (privateKey !== undefined) {
            const identity = join(folder, "key");
            writeFileSync(identity, `${privateKey.trim()}\n`, { mode: 0o600 });
            Object.assign(login, { IdentitiesOnly: "yes", IdentityAgent: "none", IdentityFile: identity });
        }
        const own = agent || privateKey !== undefined ? ["-F", "none"] : [];
        const reach = (host: SshTarget, name: string, more: Readonly<Record<string, string>> = {}) => {
            const knownHosts = join(folder, name);
            return [...own, ...destination(host, name, knownHosts, { ...login, ...more })];
        };
        const through: Record<string, string> =
            jumpHost === undefined
                ? {}
                : {
                      ProxyCommand: ["ssh", "-W", "%h:%p", ...reach(jumpHost, "jump-host")]
                          .map(quoteForProxy)
                          .join(" "),
                  };
        const child = spawn("ssh", ["-T", ...reach(target, "target", through), ...command], {
            stdio: ["pipe", "pipe", "pipe"],
            ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
        });
        // A rejected connection ends before it has read anything.
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
