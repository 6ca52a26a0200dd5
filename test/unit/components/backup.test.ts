import { readApplications } from "../../../components/applications";
import { Backup, namespacesWithClaims, secretData } from "../../../components/backup";
import { type BackupSettings, backupSchema } from "../../../config/backup";
import { root } from "../../../lib/root";
import { privateKey, publicKey } from "../keys";
import { byType, mockEngine, settled } from "./mocks";

const backup: BackupSettings = {
    home: "home.example.com",
    ...backupSchema.parse({
        target: "rest:https://copies.example.com/home/",
        rest: { user: "me", password: "of the account" },
        password: "of the repository",
        second: { target: "sftp://me@nas:23//copies", sftp: { privateKey, hostKey: publicKey } },
    }),
} as BackupSettings;

const applications = readApplications(root, "home");

test("only namespaces with claims get the Secret", async () => {
    const registered = await mockEngine();
    new Backup("backup", { root, applications, backup, ownServers: false });
    await settled();

    const secrets = Object.values(byType(registered, "kubernetes:core/v1:Secret")) as {
        metadata: { namespace: string };
    }[];
    const namespaces = secrets.map(({ metadata }) => metadata.namespace);
    expect(namespaces.sort()).toEqual(["backup", ...namespacesWithClaims(root, applications)].sort());
    expect(namespaces).toContain("vaultwarden");
    expect(namespaces).not.toContain("searxng");
});

test("no credential is in a plain input", async () => {
    const registered = await mockEngine();
    new Backup("backup", { root, applications, backup, ownServers: false });
    await settled();

    for (const [name, inputs] of Object.entries(byType(registered, "kubernetes:core/v1:Secret"))) {
        // The signature of a secret on the wire.
        expect([name, JSON.stringify(inputs)]).toEqual([
            name,
            expect.stringContaining("1b47061264138c4ac30d75fd1eb44270"),
        ]);
    }
    const jobs = JSON.stringify(byType(registered, "kubernetes:batch/v1:CronJob"));
    expect(jobs).not.toMatch(/of the (account|repository)|PRIVATE KEY/);
});

test("the repository is opened every hour, and old copies are deleted after the nightly ones", async () => {
    const registered = await mockEngine();
    new Backup("backup", { root, applications, backup, ownServers: false });
    await settled();

    const jobs = byType(registered, "kubernetes:batch/v1:CronJob");
    expect(jobs["backup-jobs-repository"]).toMatchObject({
        spec: { schedule: "7 * * * *", concurrencyPolicy: "Forbid" },
    });
    expect(jobs["backup-jobs-prune"]).toMatchObject({ spec: { schedule: "30 7 * * *" } });
});

test("the Secret has the files that the script reads", () => {
    expect(secretData(backup)).toEqual({
        password: "of the repository",
        "main.repository": "rest:https://copies.example.com/home/",
        "main.user": "me",
        "main.password": "of the account",
        "second.repository": "sftp://me@nas:23//copies",
        "second.ssh-key": `${privateKey.trim()}\n`,
        "second.known-hosts": `[nas]:23 ${publicKey}\n`,
    });
});

test("only one server mounts a folder on a NAS; only pods with copies reach it", async () => {
    const registered = await mockEngine();
    const target = "nfs://nas.example.com/srv/backup/home";
    const settings = { ...backupSchema.parse({ target, password: "p" }), home: "home.example.com" };
    new Backup("backup", { root, applications, backup: settings, ownServers: false });
    await settled();

    const [volume] = Object.values(byType(registered, "kubernetes:core/v1:PersistentVolume"));
    expect(volume).toMatchObject({
        spec: {
            nfs: { server: "nas.example.com", path: "/srv/backup/home" },
            persistentVolumeReclaimPolicy: "Retain",
        },
    });
    const policies = byType(registered, "kubernetes:networking.k8s.io/v1:NetworkPolicy");
    const labels = { "app.kubernetes.io/name": "server-main" };
    expect(policies["backup-server-main-network"]).toMatchObject({
        spec: {
            podSelector: { matchLabels: labels },
            ingress: [{ from: [{ podSelector: { matchLabels: { "hearth/backup-target": "true" } } }] }],
        },
    });
    expect(JSON.stringify(policies["backup-jobs-network"])).toContain(JSON.stringify({ matchLabels: labels }));
    expect(secretData(settings)).toEqual({
        password: "p",
        "main.repository": "rest:http://server-main.backup.svc:8000/",
    });
});

test("the snapshots of the datastore are copied with their token, from a server node, if the program built the cluster", async () => {
    const registered = await mockEngine();
    new Backup("backup", { root, applications, backup, ownServers: true });
    await settled();

    const job = byType(registered, "kubernetes:batch/v1:CronJob")["backup-datastore-datastore-backup"];
    expect(job).toMatchObject({
        metadata: { namespace: "kube-system", labels: { "hearth/claim": "datastore", "hearth/backup": "backup" } },
        spec: {
            jobTemplate: {
                spec: { template: { spec: { nodeSelector: { "node-role.kubernetes.io/control-plane": "true" } } } },
            },
        },
    });
    expect(JSON.stringify(job)).toContain('{"path":"/var/lib/rancher/k3s/server/db/snapshots","type":"Directory"}');
    const drill = byType(registered, "kubernetes:batch/v1:CronJob")["backup-datastore-datastore-drill"];
    expect(drill).toMatchObject({
        metadata: { namespace: "kube-system", labels: { "hearth/claim": "datastore", "hearth/backup": "drill" } },
    });
    // It needs no server's disk, and no root.
    expect(JSON.stringify(drill)).not.toMatch(/hostPath|"runAsUser":0/);
    const secrets = Object.values(byType(registered, "kubernetes:core/v1:Secret")) as {
        metadata: { namespace: string };
    }[];
    expect(secrets.map(({ metadata }) => metadata.namespace)).toContain("kube-system");
});
