import * as pulumi from "@pulumi/pulumi";
import type { SshSettings } from "../config/nodes";
import { type NodeAddress, remoteScript } from "./remote-script";
import { type Disk, diskLines } from "./storage";

/** Arguments of {@link Unattended}. */
export interface UnattendedArgs {
    /** The node that has the disks. */
    readonly node: NodeAddress;
    /** SSH access to the nodes. */
    readonly ssh: SshSettings;
    /** The disks that are opened at boot. */
    readonly disks: readonly Disk[];
    /** Passphrase of the disks, which get a second key. */
    readonly passphrase: pulumi.Input<string>;
}

/**
 * Data disks that a key file on the node's system disk opens at boot: without the node, the disks are useless to a
 * thief.
 */
export class Unattended extends pulumi.ComponentResource {
    constructor(name: string, args: UnattendedArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:provision:Unattended", name, {}, opts);

        const { node, ssh, disks, passphrase } = args;
        remoteScript(
            name,
            {
                node,
                ssh,
                script: "unattended",
                input: { disks: diskLines(disks), passphrase: pulumi.secret(passphrase) },
            },
            { parent: this, dependsOn: opts?.dependsOn },
        );
        this.registerOutputs({});
    }
}
