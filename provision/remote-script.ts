import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { NodeSettings } from "../config/nodes";
import { root } from "../lib/root";
import { shellQuote } from "../lib/shell";

const folder = join(root, "provision/scripts");

/** Runs standard input as root; the official plugin gives the same input to a delete, so the word tells them apart. */
function asRoot(action: "create" | "delete"): string {
    return `if [ "$(id -u)" = 0 ]; then exec bash -s ${action}; else exec sudo -n bash -s ${action}; fi`;
}

/** What a script stands on beside lib.sh, where it does. */
const libraries: Readonly<Record<string, readonly string[]>> = { preflight: ["disks"], storage: ["disks"] };

/**
 * The whole of what a node runs: assignments, which are not exported to what the script starts, then lib.sh and other
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

/** Who is reached, and how. */
export type NodeAddress = Pick<NodeSettings, "name" | "address" | "port" | "user" | "hostKey">;

/** Arguments of {@link remoteScript}. */
export interface RemoteScriptArgs {
    /** The node that runs it. */
    readonly node: NodeAddress;
    /** Private key that the node lets in. */
    readonly privateKey: pulumi.Input<string>;
    /** Name of a file in provision/scripts, without `.sh`. */
    readonly script: string;
    /** Shell variables of the script, beside `node`, its name. A change runs the script again. */
    readonly input?: Readonly<Record<string, pulumi.Input<string>>>;
    /** Whether the script's `main delete` runs when the resource goes. */
    readonly deletes?: boolean;
    /** How long the script may take, for instance "10m". */
    readonly timeout?: string;
}

/**
 * Runs one of the scripts on one node, as root. It runs again when its own text or its input changes. What it tells is
 * streamed; its standard output is what it hands back, a secret that is never shown.
 */
export function remoteScript(
    name: string,
    { node, privateKey, script, input = {}, deletes = false, timeout = "15m" }: RemoteScriptArgs,
    opts: pulumi.CustomResourceOptions,
): command.remote.Command {
    return new command.remote.Command(
        name,
        {
            connection: {
                host: node.address,
                port: node.port,
                user: node.user,
                hostKey: node.hostKey,
                privateKey: pulumi.secret(privateKey),
                // The dials are seconds apart at most: enough for an sshd that restarts, and a wrong address is told soon.
                dialErrorLimit: 8,
                perDialTimeout: 10,
            },
            create: asRoot("create"),
            ...(deletes ? { delete: asRoot("delete") } : {}),
            stdin: pulumi.output({ ...input, node: node.name }).apply((values) => scriptText(script, values)),
            logging: command.remote.Logging.Stderr,
            addPreviousOutputInEnv: false,
        },
        {
            ...opts,
            additionalSecretOutputs: ["stdout"],
            customTimeouts: { create: timeout, update: timeout, delete: timeout },
        },
    );
}
