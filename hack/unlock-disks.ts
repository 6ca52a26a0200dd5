import { setTimeout as pause } from "node:timers/promises";
import { type NodeSettings, nodeSchema } from "../config/nodes";
import { readStackFile, stackFileName } from "../config/stack-file";
import { Failure } from "../lib/failure";
import { type SshLogin, ssh } from "../lib/ssh";
import { jumpHostOf } from "./ssh-login";
import { pulumi } from "./stack";
import { exitCodes } from "./verb";

/** Seconds from the opening of a node's disks until its SSH answers. */
const startLimit = 600;

/** A node that can be unlocked: its Dropbear's host key is pinned. */
export interface LockedNode extends Pick<NodeSettings, "name" | "address" | "port" | "user" | "hostKey"> {
    readonly unlock: { readonly address: string; readonly hostKey: string };
    /** Host through which it is reached. */
    readonly jumpHost?: SshLogin["jumpHost"];
}

const schema = nodeSchema.pick({ name: true, address: true, port: true, user: true, hostKey: true, unlock: true });

/**
 * The node called `name` in the stack's file.
 *
 * @param hostKeys host keys of initramfs by name, for nodes that have none in the file
 * @throws Failure when there is none, or when its settings are not enough for unlocking
 */
export function nodeToUnlock(stack: string, name: string, hostKeys: Readonly<Record<string, string>>): LockedNode {
    const file = stackFileName(stack);
    const { config } = readStackFile(file);
    const given = config["hearth:nodes"];
    const nodes: readonly unknown[] = Array.isArray(given) ? given : [];
    const known = nodes.flatMap((each) => {
        const { success, data } = schema.strip().safeParse(each);
        return success ? [data] : [];
    });
    const node = known.find((each) => each.name === name);
    if (node === undefined) {
        const names = known.map((each) => each.name).join(", ") || "none";
        throw new Failure(`${file} has no node ${name}; nodes in it: ${names}`, exitCodes.usage);
    }
    const { unlock, ...rest } = node;
    if (unlock === undefined) {
        throw new Failure(`${name} has no "unlock" in ${file}: a key file opens its disks at boot`);
    }
    const hostKey = unlock.hostKey ?? hostKeys[name];
    if (hostKey === undefined) {
        throw new Failure(
            `the host key of ${name}'s initramfs is neither in ${file} nor in the stack's state: run \`pulumi up\` once, ` +
                "or set hostKey under its unlock to what this prints on the node: " +
                "dropbearkey -y -f /etc/dropbear/initramfs/dropbear_ed25519_host_key",
        );
    }
    const jumpHost = jumpHostOf(config);
    return {
        ...rest,
        ...(jumpHost === undefined ? {} : { jumpHost }),
        unlock: { address: unlock.address.replace(/\/.*/, ""), hostKey },
    };
}

/** Public host keys of the nodes' initramfs, by name, that `pulumi up` wrote down in the stack's state. */
export async function hostKeysInState(stack: string): Promise<Readonly<Record<string, string>>> {
    const outputs: { unlockHostKeys?: Record<string, string> } = JSON.parse(
        await pulumi("stack", "output", "--json", "--stack", stack),
    );
    return outputs.unlockHostKeys ?? {};
}

/** The passphrase of the stack's data disks, decrypted. */
export async function storagePassphrase(stack: string): Promise<string> {
    return pulumi("config", "get", "--path", "hearth:storage.passphrase", "--stack", stack);
}

/** Reports whether the node's ordinary SSH answers, by its host key; a login is not required. */
export async function nodeIsUp(node: LockedNode): Promise<boolean> {
    const { code, stderr } = await ssh(node, ["true"], { input: "", jumpHost: node.jumpHost });
    return code === 0 || stderr.includes("Permission denied");
}

/**
 * Passes the passphrase to the node, by standard input.
 *
 * @returns the node's output
 * @throws Failure with the next step, when the disks stay closed
 */
export async function unlockDisks({ name, unlock, jumpHost }: LockedNode, passphrase: string): Promise<string> {
    const login = { input: `${passphrase}\n`, jumpHost };
    const { code, stdout, stderr } = await ssh({ user: "root", port: 22, ...unlock }, [], login);
    const said = stdout + stderr;
    // A booting node ends the session with the last disk.
    if (code === 0 || (code === 255 && said.includes("set up successfully"))) {
        return said;
    }
    const closed = `the disks of ${name} are not open: ${said.trim() || `ssh exited with ${code}`}`;
    if (code === 2) {
        throw new Failure(`${closed}\nThe passphrase is hearth:storage.passphrase of the stack's config`);
    }
    if (said.includes("Host key verification failed")) {
        throw new Failure(
            `${closed}\nThe host at ${unlock.address} does not have the host key of the initramfs in the config. ` +
                "The passphrase was not sent. Find the reason before you continue",
        );
    }
    throw new Failure(
        `${closed}\nCheck that ${name} is on, and that its unlock.keys contain the key of your SSH agent`,
    );
}

/** @throws Failure when the node's ordinary SSH does not answer within the limit */
export async function waitForNode(node: LockedNode): Promise<void> {
    const end = Date.now() + startLimit * 1000;
    while (!(await nodeIsUp(node))) {
        if (Date.now() > end) {
            throw new Failure(
                `the disks of ${node.name} are open, but its SSH did not answer at ${node.address} within ` +
                    `${startLimit} seconds: check its console`,
            );
        }
        await pause(2000);
    }
}
