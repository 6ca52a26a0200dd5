import * as pulumi from "@pulumi/pulumi";
import { type NodeSettings, raidLevel, type SshSettings } from "../config/nodes";
import { type NodeAddress, remoteScript } from "./remote-script";
import { bytes } from "./sizes";

/** A data disk, as input of the scripts. */
export type Disk = NodeSettings["disks"][number];

/** The disks as the scripts read them: a line each, with device, serial, the serial to erase or "-", and bytes. */
export function diskLines(disks: readonly Disk[]): string {
    return disks
        .map(({ device, serial, erase = "-", size }) => `${device} ${serial} ${erase} ${bytes(size)}`)
        .join("\n");
}

/** Arguments of {@link Storage}. */
export interface StorageArgs {
    /** The node that has the disks. */
    readonly node: NodeAddress;
    /** SSH access to the nodes. */
    readonly ssh: SshSettings;
    /** The disks of the array. */
    readonly disks: readonly Disk[];
    /** RAID level of the array; see {@link raidLevel} for the default. */
    readonly raid?: NodeSettings["raid"];
    /** Opens the disks. */
    readonly passphrase: pulumi.Input<string>;
    /** Absolute path where the file system is mounted, and under which it is exported. */
    readonly mount: string;
    /** Addresses of the nodes, which mount the export. */
    readonly clients: readonly string[];
}

/**
 * A node's data disks: LUKS on each, an array over all, one file system, exported over NFS. Disks with foreign data are
 * rejected; our own are adopted. Removing it from the program leaves the disks unchanged.
 */
export class Storage extends pulumi.ComponentResource {
    constructor(name: string, args: StorageArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:provision:Storage", name, {}, opts);

        const { node, ssh, disks, raid, passphrase, mount, clients } = args;
        remoteScript(
            name,
            {
                node,
                ssh,
                script: "storage",
                input: {
                    disks: diskLines(disks),
                    raid: `${raidLevel({ disks: [...disks], raid })}`,
                    passphrase: pulumi.secret(passphrase),
                    mountpoint: mount,
                    clients: clients.join(" "),
                },
                minutes: 30,
            },
            { parent: this, dependsOn: opts?.dependsOn },
        );
        this.registerOutputs({});
    }
}
