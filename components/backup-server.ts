import { createHash } from "node:crypto";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { backupNamespace as namespace, serverName, serverPort, type Target } from "../config/backup";
import { restrictedContainer, restrictedPod } from "./pod-security";

/** Arguments of {@link BackupServer}. */
export interface BackupServerArgs {
    /** The target: nfs://<host>/<folder>. */
    readonly target: Pick<Target, "name" | "target">;
    /** Image of the rest-server. */
    readonly image: { readonly repository: string; readonly tag: string };
    /** Its requests and limits. */
    readonly resources: kubernetes.types.input.core.v1.ResourceRequirements;
}

/**
 * rest-server in front of a folder of an NFS export: https://github.com/restic/rest-server
 * Services do not mount the export themselves: while the NFS server is down, the pods of all of them would wait for it,
 * those with data in their volumes too.
 */
export class BackupServer extends pulumi.ComponentResource {
    constructor(name: string, args: BackupServerArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:BackupServer", name, {}, opts);
        const { target, image, resources } = args;
        const { hostname: server, pathname: path } = new URL(target.target);
        const own = serverName(target);
        const labels = { "app.kubernetes.io/name": own, "app.kubernetes.io/part-of": namespace };
        // An update does not wait for the NFS server, and the folder of a volume is immutable.
        const annotations = { "pulumi.com/skipAwait": "true" };
        const volume = `${namespace}-${target.name}-${createHash("sha256").update(target.target).digest("hex").slice(0, 8)}`;
        const accessModes = ["ReadWriteMany"];
        // Kubernetes requires a size; NFS ignores it.
        const storage = "1Ti";
        const claim = new kubernetes.core.v1.PersistentVolumeClaim(
            `${name}-claim`,
            {
                metadata: { name: volume, namespace, annotations },
                spec: { accessModes, storageClassName: "", volumeName: volume, resources: { requests: { storage } } },
            },
            {
                parent: this,
                dependsOn: new kubernetes.core.v1.PersistentVolume(
                    `${name}-volume`,
                    {
                        metadata: { name: volume, annotations },
                        spec: {
                            accessModes,
                            capacity: { storage },
                            claimRef: { namespace, name: volume },
                            mountOptions: ["nfsvers=4.1", "hard", "noatime"],
                            nfs: { server, path },
                            persistentVolumeReclaimPolicy: "Retain",
                            storageClassName: "",
                        },
                    },
                    { parent: this },
                ),
            },
        );
        new kubernetes.apps.v1.Deployment(
            name,
            {
                metadata: { name: own, namespace, labels, annotations },
                spec: {
                    selector: { matchLabels: labels },
                    template: {
                        metadata: { labels },
                        spec: {
                            automountServiceAccountToken: false,
                            enableServiceLinks: false,
                            priorityClassName: "backup",
                            securityContext: restrictedPod,
                            containers: [
                                {
                                    name: "server",
                                    image: `${image.repository}:${image.tag}`,
                                    // Its network policy restricts clients, and restic encrypts.
                                    command: ["rest-server", "--path=/data", `--listen=:${serverPort}`, "--no-auth"],
                                    ports: [{ containerPort: serverPort }],
                                    readinessProbe: { tcpSocket: { port: serverPort } },
                                    resources,
                                    securityContext: restrictedContainer,
                                    volumeMounts: [{ name: "repository", mountPath: "/data" }],
                                },
                            ],
                            volumes: [{ name: "repository", persistentVolumeClaim: { claimName: volume } }],
                        },
                    },
                },
            },
            { parent: this, dependsOn: claim },
        );
        new kubernetes.core.v1.Service(
            `${name}-service`,
            {
                metadata: { name: own, namespace, labels, annotations },
                spec: { selector: labels, ports: [{ port: serverPort }] },
            },
            { parent: this },
        );
        new kubernetes.networking.v1.NetworkPolicy(
            `${name}-network`,
            {
                metadata: { name: own, namespace, labels },
                spec: {
                    podSelector: { matchLabels: labels },
                    // Its node mounts the export: the server itself reaches nothing.
                    policyTypes: ["Ingress", "Egress"],
                    ingress: [
                        {
                            from: [
                                {
                                    namespaceSelector: {},
                                    podSelector: { matchLabels: { "hearth/backup-target": "true" } },
                                },
                            ],
                            ports: [{ port: serverPort, protocol: "TCP" }],
                        },
                    ],
                },
            },
            { parent: this },
        );
        this.registerOutputs({});
    }
}
