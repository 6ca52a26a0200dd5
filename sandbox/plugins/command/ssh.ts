import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { shellQuote } from "../../../lib/shell";
import type { Connection } from "./inputs";
import { type Outcome, type ProcessOptions, runProcess } from "./process";

/** Alias of the host in ssh's arguments and known-hosts file. */
const target = "pulumi-target";

/** Type and key of an authorized_keys or known_hosts line, without options, host names and comment. */
function parseHostKey(hostKey: string): { readonly type: string; readonly key: string } {
    const [, type, key] = hostKey.match(/(?:^|\s)((?:ssh|ecdsa|sk)-\S+)\s+([A-Za-z0-9+/]+=*)(?:\s|$)/) ?? [];
    if (type === undefined || key === undefined) {
        throw new Error("failed to parse host key: ssh: no key found");
    }
    return { type, key };
}

/**
 * Arguments that make ssh connect as the official plugin does, whatever the user's configuration says. Keys are in files
 * of the folder.
 *
 * @throws Error when a key is malformed
 */
export function sshArguments(connection: Connection, folder: string): string[] {
    const { proxy, perDialTimeout } = connection;
    const shared = {
        ConnectTimeout: perDialTimeout,
        RequestTTY: "no",
        LogLevel: "ERROR",
        // Like Go's TCP connections, which end after 9 unanswered probes.
        ServerAliveInterval: 15,
        ServerAliveCountMax: 9,
    };
    const flags = (options: object) => [
        ...["-F", "none"],
        ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ];
    const through = proxy && [
        ...flags({ ...shared, ...hostOptions(proxy, "proxy", folder) }),
        "-W",
        `${connection.host}:${connection.port}`,
    ];
    return flags({
        ...shared,
        ...hostOptions(connection, target, folder),
        ControlPath: join(folder, "control"),
        ...(through && {
            ProxyCommand: ["ssh", ...through, "proxy"].map((each) => shellQuote(each.replaceAll("%", "%%"))).join(" "),
        }),
    });
}

/** Options for one host. Its keys are in files of the folder. */
function hostOptions(
    {
        host,
        port,
        user,
        hostKey,
        privateKey,
    }: Omit<NonNullable<Connection["proxy"]>, "dialErrorLimit" | "perDialTimeout">,
    alias: string,
    folder: string,
): object {
    const { type, key } = parseHostKey(hostKey);
    if (privateKey !== undefined && !privateKey.includes("-----BEGIN ")) {
        throw new Error("ssh: no key found");
    }
    const knownHosts = join(folder, `${alias}-known-hosts`);
    writeFileSync(knownHosts, `${alias} ${type} ${key}\n`);
    const identity = join(folder, `${alias}-key`);
    if (privateKey !== undefined) {
        writeFileSync(identity, `${privateKey.trimEnd()}\n`, { mode: 0o600 });
    }
    return {
        HostName: host,
        Port: port,
        User: user,
        HostKeyAlias: alias,
        StrictHostKeyChecking: "yes",
        UserKnownHostsFile: knownHosts,
        GlobalKnownHostsFile: "/dev/null",
        CheckHostIP: "no",
        // pulumi-command 1.2.1 offers only the pinned key's type. OpenSSH 8.8 and newer do not sign with ssh-rsa, so a
        // pin of that type fails.
        HostKeyAlgorithms: type,
        // Without a key, those of the agent at SSH_AUTH_SOCK.
        ...(privateKey === undefined
            ? { IdentityFile: "none" }
            : { IdentityFile: identity, IdentitiesOnly: "yes", IdentityAgent: "none" }),
        BatchMode: "yes",
    };
}

/** Reason of a failed dial, in the words of the official plugin's SSH library. */
function dialError(stderr: string, { host, port }: Connection): string {
    const reasons: readonly [RegExp, string][] = [
        [/Host key verification failed|IDENTIFICATION HAS CHANGED/, "ssh: handshake failed: ssh: host key mismatch"],
        [/no matching host key type/, "ssh: handshake failed: ssh: no common algorithm for host key"],
        [
            /Permission denied|Too many authentication failures/,
            "ssh: handshake failed: ssh: unable to authenticate, no supported methods remain",
        ],
        [/Connection refused/, `dial tcp ${host}:${port}: connect: connection refused`],
        [/timed out/, `dial tcp ${host}:${port}: i/o timeout`],
        [/Could not resolve hostname/, `dial tcp: lookup ${host}: no such host`],
        [/No route to host/, `dial tcp ${host}:${port}: connect: no route to host`],
    ];
    const reason = reasons.find(([pattern]) => pattern.test(stderr))?.[1];
    return reason ?? `ssh: ${stderr.trim().split("\n").pop() || "the connection was closed"}`;
}

/** Opens the connection that later calls of ssh share, and retries up to dialErrorLimit times. */
async function dial(
    args: readonly string[],
    connection: Connection,
    signal: AbortSignal,
    onRetry: (message: string) => void,
): Promise<void> {
    const { dialErrorLimit } = connection;
    for (let attempt = 1, pause = 100; ; attempt++, pause = Math.min(pause * 1.5, 5000)) {
        const { code, stderr } = await runProcess("ssh", [...args, "-M", "-N", "-f", target], {
            signal,
            detaches: true,
        });
        if (code === 0) {
            return;
        }
        if (attempt > dialErrorLimit) {
            throw new Error(`after ${attempt - 1} failed attempts: ${dialError(stderr, connection)}`);
        }
        onRetry(`Dial ${attempt}/${dialErrorLimit} failed: retrying`);
        await delay(pause, undefined, { signal });
    }
}

/**
 * Runs a command on another host.
 *
 * @param onRetry takes a line for each dial that fails and is repeated
 * @throws Error when no dial succeeds
 */
export async function runOverSsh(
    command: string,
    connection: Connection,
    {
        onRetry,
        ...options
    }: ProcessOptions & { readonly signal: AbortSignal; readonly onRetry: (line: string) => void },
): Promise<Outcome> {
    // Short: the path of a socket has about a hundred characters at most.
    const folder = mkdtempSync(join(tmpdir(), "ssh-"));
    const remove = () => rmSync(folder, { recursive: true, force: true });
    process.once("exit", remove);
    try {
        const args = sshArguments(connection, folder);
        await dial(args, connection, options.signal, onRetry);
        try {
            return await runProcess("ssh", [...args, target, "--", command], options);
        } finally {
            await runProcess("ssh", [...args, "-O", "exit", target]);
        }
    } finally {
        process.off("exit", remove);
        remove();
    }
}
