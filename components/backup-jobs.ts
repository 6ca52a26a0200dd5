import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { type BackupSettings, backupTargets, type TargetPeer, targetPeer } from "../config/backup";
import { restrictedContainer, restrictedPod } from "./pod-security";

/** Name of the Secret, the ConfigMap and the NetworkPolicy of copies in a namespace: charts/common/templates/lib/_backup.tpl. */
export const backupSecret = "backup";

/** A CronJob that runs charts/common/files/backup.sh. */
export interface BackupJob {
    readonly name: string;
    /** First argument of backup.sh; a restored copy is then checked by databases.py. */
    readonly action: "repository" | "prune" | "backup" | "drill";
    /** Time in the home's time zone, as cron writes it. */
    readonly schedule: string;
    /** Variables besides the home and its targets. */
    readonly env: Readonly<Record<string, string>>;
    /** Name of its copies, for `backup` and `drill`. */
    readonly claim?: string;
    /** Folder of a server node to copy, as root. */
    readonly serverFolder?: string;
}

/** An image, with the requests and limits of its containers. */
export interface BackupImage {
    readonly repository: string;
    readonly tag: string;
    readonly resources: kubernetes.types.input.core.v1.ResourceRequirements;
}

/** Arguments of {@link BackupJobs}. */
export interface BackupJobsArgs {
    /** The namespace. It has the Secret with the credentials. */
    readonly namespace: string;
    /** The stack's `hearth:backup`. */
    readonly backup: BackupSettings;
    /** Texts of charts/common/files, by name. */
    readonly scripts: Readonly<Record<string, string>>;
    readonly timeZone: string;
    /** Image with restic, and its container. */
    readonly restic: BackupImage;
    /** Image with Python, and its container. */
    readonly python: BackupImage;
    readonly jobs: readonly BackupJob[];
}

/** Label of the pods that may reach the targets. */
const targetLabel = { "hearth/backup-target": "true" };

const ports = (numbers: readonly number[]) => numbers.map((port) => ({ port, protocol: "TCP" }));

/** Peers of a target in a NetworkPolicy. */
function peersOf(peer: TargetPeer): kubernetes.types.input.networking.v1.NetworkPolicyPeer[] {
    if ("workload" in peer) {
        return [
            {
                namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": peer.namespace } },
                podSelector: { matchLabels: { "app.kubernetes.io/name": peer.workload } },
            },
        ];
    }
    return ("cidr" in peer ? [peer.cidr] : ["0.0.0.0/0", "::/0"]).map((cidr) => ({ ipBlock: { cidr } }));
}

/** Folder to which a drill restores. */
const scratch = "/volume";

/** Volumes of a job's pod, and their mount paths. */
function volumesOf({ action, serverFolder }: BackupJob) {
    const own = {
        script: { source: { configMap: { name: backupSecret } }, path: "/backup", readOnly: true },
        target: {
            source: { secret: { secretName: backupSecret, defaultMode: 0o440 } },
            path: "/target",
            readOnly: true,
        },
        tmp: { source: { emptyDir: {} }, path: "/tmp", readOnly: false },
    };
    const copied = serverFolder !== undefined && {
        files: { source: { hostPath: { path: serverFolder, type: "Directory" } }, path: "/copy/files", readOnly: true },
        databases: { source: { emptyDir: {} }, path: "/copy/databases", readOnly: true },
    };
    // The copy is as large as a server's snapshots.
    const restored = action === "drill" && { volume: { source: { emptyDir: {} }, path: scratch, readOnly: false } };
    return Object.entries({ ...own, ...copied, ...restored }).map(([name, each]) => ({ name, ...each }));
}

/** The script, the network policy for the targets, and CronJobs, in one namespace. */
export class BackupJobs extends pulumi.ComponentResource {
    constructor(name: string, args: BackupJobsArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:BackupJobs", name, {}, opts);
        const { namespace, backup, scripts, timeZone, restic, python, jobs } = args;
        const parent = { parent: this };
        new kubernetes.core.v1.ConfigMap(
            `${name}-script`,
            { metadata: { name: backupSecret, namespace }, data: scripts },
            parent,
        );
        const dns = {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
            podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
        };
        new kubernetes.networking.v1.NetworkPolicy(
            `${name}-network`,
            {
                metadata: { name: backupSecret, namespace },
                spec: {
                    podSelector: { matchLabels: targetLabel },
                    policyTypes: ["Ingress", "Egress"],
                    egress: [
                        { to: [dns], ports: [{ port: 53, protocol: "UDP" }, ...ports([53])] },
                        ...backupTargets(backup)
                            .map(targetPeer)
                            .map((peer) => ({ to: peersOf(peer), ports: ports(peer.ports) })),
                    ],
                },
            },
            parent,
        );
        const { home, uploadLimit } = backup;
        const targets = backupTargets(backup).map((each) => each.name);
        for (const job of jobs) {
            const labels = {
                "app.kubernetes.io/name": job.name,
                "app.kubernetes.io/part-of": job.claim ?? namespace,
                "hearth/backup": job.action,
                ...(job.claim === undefined ? {} : { "hearth/claim": job.claim }),
                ...targetLabel,
            };
            const env = {
                HOME_NAME: home,
                TARGETS: targets.join(" "),
                ...(job.claim === undefined ? {} : { CLAIM: `${namespace}/${job.claim}` }),
                ...(job.action !== "backup" || uploadLimit === undefined ? {} : { UPLOAD_LIMIT: String(uploadLimit) }),
                ...(job.action === "drill" ? { DRILL: "yes", VOLUME: scratch } : {}),
                ...job.env,
            };
            const volumes = volumesOf(job);
            const container = (name: string, { repository, tag, resources }: BackupImage, command: string[]) => ({
                name,
                image: `${repository}:${tag}`,
                command,
                env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
                resources,
                securityContext: restrictedContainer,
                volumeMounts: volumes.map(({ name: volume, path, readOnly }) => ({
                    name: volume,
                    mountPath: path,
                    readOnly,
                })),
            });
            const main = container(job.name, restic, ["sh", "/backup/backup.sh", job.action]);
            const containers =
                job.action === "drill"
                    ? {
                          initContainers: [{ ...main, name: "fetch" }],
                          containers: [container(job.name, python, ["python3", "/backup/databases.py", "check"])],
                      }
                    : { containers: [main] };
            const onServer: kubernetes.types.input.core.v1.PodSpec | undefined =
                job.serverFolder === undefined
                    ? undefined
                    : {
                          containers: [],
                          securityContext: { ...restrictedPod, runAsNonRoot: false, runAsUser: 0, runAsGroup: 0 },
                          nodeSelector: { "node-role.kubernetes.io/control-plane": "true" },
                          tolerations: ["node-role.kubernetes.io/control-plane", "CriticalAddonsOnly"].map((key) => ({
                              key,
                              operator: "Exists",
                          })),
                      };
            new kubernetes.batch.v1.CronJob(
                `${name}-${job.name}`,
                {
                    metadata: { name: job.name, namespace, labels },
                    spec: {
                        schedule: job.schedule,
                        timeZone,
                        concurrencyPolicy: "Forbid",
                        successfulJobsHistoryLimit: 1,
                        failedJobsHistoryLimit: 3,
                        jobTemplate: {
                            metadata: { labels },
                            spec: {
                                backoffLimit: 1,
                                template: {
                                    metadata: { labels },
                                    spec: {
                                        automountServiceAccountToken: false,
                                        enableServiceLinks: false,
                                        restartPolicy: "Never",
                                        priorityClassName: "backup",
                                        securityContext: restrictedPod,
                                        ...onServer,
                                        ...containers,
                                        volumes: volumes.map(({ name: volume, source }) => ({
                                            name: volume,
                                            ...source,
                                        })),
                                    },
                                },
                            },
                        },
                    },
                },
                parent,
            );
        }
        this.registerOutputs({});
    }
}
