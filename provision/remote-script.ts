import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { NodeSettings, SshSettings } from "../config/nodes";
import { root } from "../lib/root";
import { shellQuote } from "../lib/shell";

const folder = join(root, "provision/scripts");

/**
 * Shell command that runs standard input as root. The official plugin gives the same input to a delete, so the word
 * distinguishes them. It also waits for as long as the session is open, whatever its timeouts are (pulumi-command
 * v1.2.1, provider/pkg/provider/util/commandOutputs.go), so the host enforces the limit.
 */
function asRoot(action: "create" | "delete", minutes: number): string {
    const run = `timeout --kill-after=30 ${minutes * 60} bash -s ${action}`;
    const stopped = `not done within ${minutes} minutes, and stopped: see "ps -ef" there, and rerun "pulumi up"`;
    return [
        `if [ "$(id -u)" = 0 ]; then ${run}; else sudo -n ${run}; fi; code=$?`,
        `case $code in 124 | 137) echo ${shellQuote(stopped)} >&2 ;; esac; exit $code`,
    ].join("; ");
}

/** Libraries in addition to lib.sh, by script. */
const libraries: Readonly<Record<string, readonly string[]>> = {
    "api-address": ["identity"],
    k3s: ["identity", "claims"],
    leave: ["identity", "claims"],
    preflight: ["identity", "disks"],
    storage: ["disks"],
    unattended: ["disks", "crypttab"],
    unlock: ["disks", "crypttab"],
};

/** Input of a script: shell variables. */
export type ScriptInput = Readonly<Record<string, pulumi.Input<string>>>;

/**
 * The whole program that a node runs: assignments, which are not exported to child processes, then lib.sh and other
 * libraries, then the script.
 *
 * @param script name of a file in provision/scripts, without `.sh`
 * @param input shell variables
 */
export function scriptText(script: string, input: Readonly<Record<string, string>>): string {
    const assignments = Object.entries(input).map(([name, value]) => `${name}=${shellQuote(value)}\n`);
    const files = ["lib", ...(libraries[script] ?? []), script].map((name) =>
        readFileSync(join(folder, `${name}.sh`), "utf8"),
    );
    return [...assignments, ...files].join("");
}

/** SHA-256 of all scripts. */
export function scriptsChecksum(): string {
    const texts = readdirSync(folder)
        .sort()
        .map((file) => readFileSync(join(folder, file), "utf8"));
    return createHash("sha256").update(texts.join("\0")).digest("hex");
}

/** Address of a host, and the public key of its sshd. */
type HostAddress = Pick<NodeSettings, "address" | "port" | "user" | "hostKey">;

/** A node, as its scripts reach it. */
export interface NodeAddress extends HostAddress {
    readonly name: string;
    /**
     * A host that is contacted while the node is switched off. An existing step stays as it is; a new one is recorded
     * in the state without doing anything, and runs when the node is back.
     */
    readonly substitute?: HostAddress;
}

/** Arguments of {@link remoteScript}. */
export interface RemoteScriptArgs {
    /** The node that runs it. */
    readonly node: NodeAddress;
    /** SSH access to the nodes. */
    readonly ssh: SshSettings;
    /** Name of a file in provision/scripts, without `.sh`. */
    readonly script: string;
    /** Shell variables of the script, in addition to `node`, its name. A change reruns the script. */
    readonly input?: ScriptInput;
    /** True if the script's `main delete` runs when the resource is deleted; false by default. */
    readonly deletes?: boolean;
    /** Minutes that the script may take; 15 by default. */
    readonly minutes?: number;
}

/**
 * Runs one of the scripts on one node, as root. It reruns when its own text or its input changes. Its messages are
 * streamed; its standard output is its result, a secret that is never shown.
 */
export function remoteScript(
    name: string,
    { node, ssh, script, input = {}, deletes = false, minutes = 15 }: RemoteScriptArgs,
    opts: pulumi.CustomResourceOptions,
): command.remote.Command {
    // The host's own limit comes first.
    const timeout = `${minutes + 1}m`;
    const host = node.substitute ?? node;
    const isOff = node.substitute !== undefined;
    const { privateKey, jumpHost } = ssh;
    // Without a key, the plugin uses the agent at SSH_AUTH_SOCK.
    const login = privateKey === undefined ? {} : { privateKey: pulumi.secret(privateKey) };
    // The dials are seconds apart at most: enough for an sshd that restarts, and short for a wrong address.
    const dials = { dialErrorLimit: 8, perDialTimeout: 10 };
    const proxyOf = ({ address, ...rest }: NonNullable<typeof jumpHost>) => ({
        ...{ host: address, ...rest },
        ...login,
        ...dials,
    });
    return new command.remote.Command(
        name,
        {
            connection: {
                host: host.address,
                port: host.port,
                user: host.user,
                hostKey: host.hostKey,
                ...login,
                ...(jumpHost === undefined ? {} : { proxy: proxyOf(jumpHost) }),
                ...dials,
            },
            create: isOff ? "true" : asRoot("create", minutes),
            ...(deletes && !isOff ? { delete: asRoot("delete", minutes) } : {}),
            stdin: isOff
                ? ""
                : pulumi.output({ ...input, node: node.name }).apply((values) => scriptText(script, values)),
            logging: command.remote.Logging.Stderr,
            addPreviousOutputInEnv: false,
        },
        {
            ...opts,
            ...(isOff ? { ignoreChanges: ["*"] } : {}),
            additionalSecretOutputs: ["stdout"],
            customTimeouts: { create: timeout, update: timeout, delete: timeout },
        },
    );
}
