import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { chartSource, releases } from "./releases";

/** Arguments of {@link NfsCsi}. */
export interface NfsCsiArgs {
    /** Host name or address of the NFS server. */
    readonly server: pulumi.Input<string>;
    /** Absolute path of the export on the server. */
    readonly path: pulumi.Input<string>;
    /** URL of a Helm repository to use instead of the upstream one. */
    readonly chartRepository?: string;
}

/** The NFS CSI driver, and the StorageClasses `nfs` and `media`. https://github.com/kubernetes-csi/csi-driver-nfs */
export class NfsCsi extends pulumi.ComponentResource {
    constructor(name: string, args: NfsCsiArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:NfsCsi", name, args, opts);

        const release = new kubernetes.helm.v3.Release(
            name,
            {
                ...chartSource(releases.nfsCsi, args.chartRepository),
                name: "csi-driver-nfs",
                // The driver mounts on the hosts: kube-system is where Kubernetes expects such pods.
                namespace: "kube-system",
                values: { controller: { priorityClassName: "system-cluster-critical" } },
            },
            { parent: this },
        );
        const { server, path: share } = args;
        const classes = {
            // A separate directory for each claim.
            nfs: { server, share },
            // One directory for every claim, so that downloads and media are one file system and hardlinks work.
            media: { server, share, subDir: "media", onDelete: "retain" },
        };
        for (const [className, parameters] of Object.entries(classes)) {
            new kubernetes.storage.v1.StorageClass(
                className,
                {
                    metadata: { name: className },
                    provisioner: "nfs.csi.k8s.io",
                    parameters,
                    // Deleting a claim by mistake must not delete a family's pictures.
                    reclaimPolicy: "Retain",
                    allowVolumeExpansion: true,
                    mountOptions: ["nfsvers=4.1", "hard", "noatime"],
                },
                { parent: this, dependsOn: release },
            );
        }
        this.registerOutputs({});
    }
}
