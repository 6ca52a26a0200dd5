import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { type BackupSettings, backupTargets, type Target, targetAddress, targetPeer } from "../config/backup";
import { readYaml } from "../config/yaml";
import type { Application } from "./applications";
import { base64 } from "./base64";
import { podSecurityLabel } from "./pod-security";

/**
 * Name of the Secret, the ConfigMap and the NetworkPolicy for backups in a namespace:
 * charts/common/templates/lib/_backup.tpl.
 */
const shared = "backup";

/** Namespace of the jobs on the whole repository. */
const ownNamespace = "backup";

/** Arguments of {@link Backup}. */
export interface BackupArgs {
    /** The repository's top folder. */
    readonly root: string;
    /** All Applications of the home. */
    readonly applications: readonly Application[];
    /** The stack's `hearth:backup`. */
    readonly backup: BackupSettings;
}

/**
 * Namespaces whose charts have claims.
 *
 * @param root the repository's top folder
 */
export function namespacesWithClaims(root: string, applications: readonly Application[]): string[] {
    const having = applications.filter(({ name }) =>
        /\bclaim:/.test(readFileSync(join(root, "charts", name, "values.yaml"), "utf8")),
    );
    return [...new Set(having.map(({ namespace }) => namespace))];
}

/** A line of known_hosts. OpenSSH writes ports other than its default with brackets. */
function knownHost(target: string, hostKey: string): string {
    const { host, port } = targetAddress(target);
    return `${port === 22 ? host : `[${host}]:${port}`} ${hostKey.trim()}\n`;
}

/** Keys of the Secret for one repository, as charts/common/files/backup.sh reads them. */
function targetData({ name, target, s3, sftp, rest }: Target): Record<string, string> {
    const data: Readonly<Record<string, string | undefined>> = {
        repository: target,
        "access-key": s3?.accessKey,
        "secret-key": s3?.secretKey,
        region: s3?.region,
        "ssh-key": sftp && `${sftp.privateKey.trim()}\n`,
        "known-hosts": sftp && knownHost(target, sftp.hostKey),
        user: rest?.user,
        password: rest?.password,
        ca: rest?.certificate,
    };
    return Object.fromEntries(
        Object.entries(data).flatMap(([key, value]) => (value === undefined ? [] : [[`${name}.${key}`, value]])),
    );
}

/** The Secret's data: credentials for each repository. */
export function secretData(backup: BackupSettings): Record<string, string> {
    return Object.assign({ password: backup.password }, ...backupTargets(backup).map(targetData));
}

/** Container settings in charts/common/values.yaml; the charts' own copies use the same. */
const commonValues = z.object({
    global: z.object({ timezone: z.string() }),
    backup: z.object({
        image: z.object({ repository: z.string(), tag: z.string() }),
        resources: z.object({
            requests: z.record(z.string(), z.string()),
            limits: z.record(z.string(), z.string()),
        }),
    }),
});

const labels = (name: string) => ({
    "app.kubernetes.io/name": name,
    "app.kubernetes.io/part-of": ownNamespace,
    "hearth/backup": name,
    "hearth/backup-target": "true",
});

/**
 * Resources for backups of volumes outside their charts: credentials in each namespace, and jobs on the whole
 * repository. `repository` creates it and opens it every hour; `prune` deletes old copies.
 */
export class Backup extends pulumi.ComponentResource {
    constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Backup", name, {}, opts);
        const { root, applications, backup } = args;
        const common = join(root, "charts", "common");
        const { global, backup: containers } = commonValues.parse(
            readYaml(readFileSync(join(common, "values.yaml"), "utf8")),
        );
        const data = pulumi.secret(
            Object.fromEntries(Object.entries(secretData(backup)).map(([key, value]) => [key, base64(value)])),
        );
        const namespace = new kubernetes.core.v1.Namespace(
            `${name}-namespace`,
            { metadata: { name: ownNamespace, labels: { [podSecurityLabel]: "restricted" } } },
            { parent: this },
        );
        const secrets = [ownNamespace, ...namespacesWithClaims(root, applications)].map(
            (each) =>
                new kubernetes.core.v1.Secret(
                    `${name}-${each}`,
                    { metadata: { name: shared, namespace: each }, data },
                    { parent: this, ...(each === ownNamespace ? { dependsOn: namespace } : {}) },
                ),
        );
        const own = { parent: this, dependsOn: [namespace, ...secrets.slice(0, 1)] };
        new kubernetes.core.v1.ConfigMap(
            `${name}-script`,
            {
                metadata: { name: shared, namespace: ownNamespace },
                data: { "backup.sh": readFileSync(join(common, "files", "backup.sh"), "utf8") },
            },
            own,
        );
        const ports = (numbers: readonly number[]) => numbers.map((port) => ({ port, protocol: "TCP" }));
        new kubernetes.networking.v1.NetworkPolicy(
            `${name}-network`,
            {
                metadata: { name: shared, namespace: ownNamespace },
                spec: {
                    podSelector: {},
                    policyTypes: ["Ingress", "Egress"],
                    egress: [
                        {
                            to: [
                                {
                                    namespaceSelector: {
                                        matchLabels: { "kubernetes.io/metadata.name": "kube-system" },
                                    },
                                    podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
                                },
                            ],
                            ports: [{ port: 53, protocol: "UDP" }, ...ports([53])],
                        },
                        ...backupTargets(backup)
                            .map(targetPeer)
                            .map((peer) => ({
                                to: ("cidr" in peer ? [peer.cidr] : ["0.0.0.0/0", "::/0"]).map((cidr) => ({
                                    ipBlock: { cidr },
                                })),
                                ports: ports(peer.ports),
                            })),
                    ],
                },
            },
            own,
        );
        const { daily, weekly, monthly } = backup.keep;
        const env = {
            HOME_NAME: backup.home,
            TARGETS: backupTargets(backup)
                .map((each) => each.name)
                .join(" "),
            KEEP_DAILY: String(daily),
            KEEP_WEEKLY: String(weekly),
            KEEP_MONTHLY: String(monthly),
        };
        const cronJob = (action: string, schedule: string) =>
            new kubernetes.batch.v1.CronJob(
                `${name}-${action}`,
                {
                    metadata: { name: action, namespace: ownNamespace, labels: labels(action) },
                    spec: {
                        schedule,
                        timeZone: global.timezone,
                        concurrencyPolicy: "Forbid",
                        successfulJobsHistoryLimit: 1,
                        failedJobsHistoryLimit: 3,
                        jobTemplate: {
                            metadata: { labels: labels(action) },
                            spec: {
                                backoffLimit: 1,
                                template: {
                                    metadata: { labels: labels(action) },
                                    spec: {
                                        automountServiceAccountToken: false,
                                        enableServiceLinks: false,
                                        restartPolicy: "Never",
                                        priorityClassName: "backup",
                                        securityContext: {
                                            runAsNonRoot: true,
                                            runAsUser: 1000,
                                            runAsGroup: 1000,
                                            fsGroup: 1000,
                                            seccompProfile: { type: "RuntimeDefault" },
                                        },
                                        containers: [
                                            {
                                                name: action,
                                                image: `${containers.image.repository}:${containers.image.tag}`,
                                                command: ["sh", "/backup/backup.sh", action],
                                                env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
                                                resources: containers.resources,
                                                securityContext: {
                                                    allowPrivilegeEscalation: false,
                                                    readOnlyRootFilesystem: true,
                                                    capabilities: { drop: ["ALL"] },
                                                },
                                                volumeMounts: [
                                                    { name: "script", mountPath: "/backup", readOnly: true },
                                                    { name: "target", mountPath: "/target", readOnly: true },
                                                    { name: "tmp", mountPath: "/tmp" },
                                                ],
                                            },
                                        ],
                                        volumes: [
                                            { name: "script", configMap: { name: shared } },
                                            { name: "target", secret: { secretName: shared, defaultMode: 0o440 } },
                                            { name: "tmp", emptyDir: {} },
                                        ],
                                    },
                                },
                            },
                        },
                    },
                },
                own,
            );
        cronJob("repository", "7 * * * *");
        cronJob("prune", `30 ${(backup.start + backup.hours + 2) % 24} * * *`);
        this.registerOutputs({});
    }
}
