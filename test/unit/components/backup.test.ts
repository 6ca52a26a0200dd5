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
    new Backup("backup", { root, applications, backup });
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
    new Backup("backup", { root, applications, backup });
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
    new Backup("backup", { root, applications, backup });
    await settled();

    const jobs = byType(registered, "kubernetes:batch/v1:CronJob");
    expect(jobs["backup-repository"]).toMatchObject({ spec: { schedule: "7 * * * *", concurrencyPolicy: "Forbid" } });
    expect(jobs["backup-prune"]).toMatchObject({ spec: { schedule: "30 7 * * *" } });
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
