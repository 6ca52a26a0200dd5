import * as pulumi from "@pulumi/pulumi";
import type { NodeSettings, SshSettings } from "../config/nodes";
import { type NodeAddress, remoteScript } from "./remote-script";
import { type Disk, diskLines } from "./storage";

/** Arguments of {@link Unlock}. */
export interface UnlockArgs {
    /** The node that has the disks. */
    readonly node: NodeAddress;
    /** SSH access to the nodes. */
    readonly ssh: SshSettings;
    /** The disks that are opened at boot. */
    readonly disks: readonly Disk[];
    /** Passphrase of the disks, from which a key file's key is removed. */
    readonly passphrase: pulumi.Input<string>;
    /** Its network before its system has started, and the public keys that may unlock. */
    readonly unlock: Pick<NonNullable<NodeSettings["unlock"]>, "address" | "gateway" | "interface" | "keys">;
}

/**
 * After a reboot a node waits for the passphrase of its data disks, and accepts it over SSH from authorized keys: see
 * hack/unlock.
 */
export class Unlock extends pulumi.ComponentResource {
    /** Public host key of the SSH server in the initramfs, which is not sshd's; not secret, unlike the rest. */
    readonly hostKey: pulumi.Output<string>;

    constructor(name: string, args: UnlockArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:provision:Unlock", name, {}, opts);

        const { node, ssh, disks, passphrase, unlock } = args;
        const script = remoteScript(
            name,
            {
                node,
                ssh,
                script: "unlock",
                input: {
                    disks: diskLines(disks),
                    passphrase: pulumi.secret(passphrase),
                    address: unlock.address,
                    gateway: unlock.gateway,
                    interface: unlock.interface,
                    keys: unlock.keys.join("\n"),
                },
                minutes: 30,
            },
            { parent: this, dependsOn: opts?.dependsOn },
        );
        this.hostKey = pulumi.unsecret(script.stdout);
        this.registerOutputs({ hostKey: this.hostKey });
    }
}
