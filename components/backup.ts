import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import {
    type BackupSettings,
    backupTargets,
    backupNamespace as ownNamespace,
    repositoryUrl,
    type Target,
    targetAddress,
    targetKind,
} from "../config/backup";
import { readYaml } from "../config/yaml";
import type { Application } from "./applications";
import { BackupJobs, backupSecret } from "./backup-jobs";
import { BackupServer } from "./backup-server";
import { base64 } from "./base64";
import { podSecurityLabel } from "./pod-security";

/** Namespace of the cluster's own pods, which may mount folders of a node. */
const systemNamespace = "kube-system";

/** Folder with k3s' snapshots of the datastore on each server, and the token that opens them. */
const snapshots = "/var/lib/rancher/k3s/server/db/snapshots";

/** Arguments of {@link Backup}. */
export interface BackupArgs {
    /** The repository's top folder. */
    readonly root: string;
    /** All Applications of the home. */
    readonly applications: readonly Application[];
    /** The stack's `hearth:backup`. */
    readonly backup: BackupSettings;
    /** True if the program built the servers, whose snapshots of the datastore are then copied. */
    readonly ownServers: boolean;
}

/**
 * Namespaces whose charts have claims.
 *
 * @param root the repository's top folder
 */
export function namespacesWithClaims(root: string, applications: readonly Application[]): string[] {
    // Some charts generate workloads in a template, which then has their claims.
    const having = applications.filter(({ name }) =>
        ["values.yaml", "templates/all.yaml"]
            .map((file) => join(root, "charts", name, file))
            .some((path) => existsSync(path) && /\bclaim:|"claim"/.test(readFileSync(path, "utf8"))),
    );
    return [...new Set(having.map(({ namespace }) => namespace))];
}

/** A line of known_hosts. OpenSSH writes ports other than its default with brackets. */
function knownHost(target: string, hostKey: string): string {
    const { host, port } = targetAddress(target);
    return `${port === 22 ? host : `[${host}]:${port}`} ${hostKey.trim()}\n`;
}

/** Keys of the Secret for one repository, as charts/common/files/backup.sh reads them. */
function targetData(target: Target): Record<string, string> {
    const { name, s3, sftp, rest } = target;
    const data: Readonly<Record<string, string | undefined>> = {
        repository: repositoryUrl(target),
        "access-key": s3?.accessKey,
        "secret-key": s3?.secretKey,
        region: s3?.region,
        "ssh-key": sftp && `${sftp.privateKey.trim()}\n`,
        "known-hosts": sftp && knownHost(target.target, sftp.hostKey),
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

const resourcesSchema = z.object({
    requests: z.record(z.string(), z.string()),
    limits: z.record(z.string(), z.string()),
});

/** Container settings in charts/common/values.yaml; the charts' own copies use the same. */
const commonValues = z.object({
    global: z.object({ timezone: z.string() }),
    backup: z.object({
        image: z.object({ repository: z.string(), tag: z.string() }),
        resources: resourcesSchema,
        server: z.object({ repository: z.string(), tag: z.string() }),
        serverResources: resourcesSchema,
        databases: z.object({ repository: z.string(), tag: z.string() }),
        databasesResources: resourcesSchema,
    }),
});

/**
 * Resources for backups of volumes outside their charts: credentials in each namespace, and jobs on the whole
 * repository. `repository` creates it and opens it every hour; `prune` deletes old copies; `datastore-backup` copies the
 * snapshots that k3s takes on its servers, and `datastore-drill` restores and checks them once a month.
 */
export class Backup extends pulumi.ComponentResource {
    constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Backup", name, {}, opts);
        const { root, applications, backup, ownServers } = args;
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
        const namespaces = [ownNamespace, ...(ownServers ? [systemNamespace] : [])];
        const secrets = [...namespaces, ...namespacesWithClaims(root, applications)].map(
            (each) =>
                new kubernetes.core.v1.Secret(
                    `${name}-${each}`,
                    { metadata: { name: backupSecret, namespace: each }, data },
                    { parent: this, ...(each === ownNamespace ? { dependsOn: namespace } : {}) },
                ),
        );
        for (const target of backupTargets(backup).filter((each) => targetKind(each.target) === "nfs")) {
            new BackupServer(
                `${name}-server-${target.name}`,
                { target, image: containers.server, resources: containers.serverResources },
                { parent: this, dependsOn: namespace },
            );
        }
        const { daily, weekly, monthly } = backup.keep;
        const textOf = (script: string) => ({ [script]: readFileSync(join(common, "files", script), "utf8") });
        const shared = {
            backup,
            scripts: textOf("backup.sh"),
            timeZone: global.timezone,
            restic: { ...containers.image, resources: containers.resources },
            python: { ...containers.databases, resources: containers.databasesResources },
        };
        const env = { KEEP_DAILY: String(daily), KEEP_WEEKLY: String(weekly), KEEP_MONTHLY: String(monthly) };
        const opt = { parent: this, dependsOn: [namespace, ...secrets.slice(0, namespaces.length)] };
        new BackupJobs(
            `${name}-jobs`,
            {
                ...shared,
                namespace: ownNamespace,
                jobs: [
                    { name: "repository", action: "repository", schedule: "7 * * * *", env },
                    {
                        name: "prune",
                        action: "prune",
                        schedule: `30 ${(backup.start + backup.hours + 2) % 24} * * *`,
                        env,
                    },
                ],
            },
            opt,
        );
        if (ownServers) {
            new BackupJobs(
                `${name}-datastore`,
                {
                    ...shared,
                    scripts: { ...shared.scripts, ...textOf("databases.py") },
                    namespace: systemNamespace,
                    jobs: [
                        {
                            name: "datastore-backup",
                            action: "backup",
                            schedule: `45 ${backup.start} * * *`,
                            claim: "datastore",
                            // An incomplete snapshot.
                            env: { EXCLUDE: "*.part" },
                            serverFolder: snapshots,
                        },
                        {
                            name: "datastore-drill",
                            action: "drill",
                            schedule: `15 ${(backup.start + backup.hours + 1) % 24} 1 * *`,
                            claim: "datastore",
                            // k3s ends a snapshot's name with its time.
                            env: { EXPECT: "server-token\n*-[0-9]*" },
                        },
                    ],
                },
                opt,
            );
        }
        this.registerOutputs({});
    }
}
