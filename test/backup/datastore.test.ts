import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Backup } from "../../components/backup";
import { type BackupSettings, backupSchema } from "../../config/backup";
import { kitPage, kitSchema } from "../../hack/backups/kit";
import { root } from "../../lib/root";
import { linesOf } from "../docs/pages";
import { byType, mockEngine, settled } from "../unit/components/mocks";
import { kubectlAt } from "./cluster";
import { ControlPlane } from "./control-plane";
import { RestServer } from "./servers";
import { targetFolder, Volume } from "./volume";

// A control plane starts twice, on a machine that may be busy.
jest.setTimeout(15 * 60_000);

const domain = "home.example.com";
const server = new RestServer();
let plane: ControlPlane;

beforeAll(async () => {
    await server.start();
    plane = await ControlPlane.start();
});

afterAll(async () => {
    await plane?.remove();
    await server.remove();
});

/** A snapshot of etcd, by the call with which k3s takes its own: https://etcd.io/docs/v3.6/dev-guide/api_reference_v3/ */
async function snapshot(): Promise<Buffer> {
    const response = await fetch(`${plane.etcd}/v3/maintenance/snapshot`, { method: "POST", body: "{}" });
    const parts = (await response.text()).trim().split("\n");
    return Buffer.concat(
        parts.map((part) => {
            const { result } = JSON.parse(part) as { result: { blob?: string } };
            return Buffer.from(result.blob ?? "", "base64");
        }),
    );
}

/** Variables of the CronJob that copies the datastore, or drills its copies, as the program creates it. */
async function variablesOf(work: "backup" | "drill"): Promise<Record<string, string>> {
    const registered = await mockEngine();
    const backup = { home: domain, ...backupSchema.parse(server.backup()) } as BackupSettings;
    new Backup("backup", { root, applications: [], backup, ownServers: true });
    await settled();
    const job = byType(registered, "kubernetes:batch/v1:CronJob")[`backup-datastore-datastore-${work}`] as {
        spec: {
            jobTemplate: {
                spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } };
            };
        };
    };
    const [container] = job.spec.jobTemplate.spec.template.spec.containers;
    return Object.fromEntries(container?.env.map(({ name, value }) => [name, value]) ?? []);
}

const checksum = (content: Buffer) => createHash("sha256").update(content).digest("hex");

test("a cluster whose servers are all lost gets the objects of the last copied snapshot, with only the emergency kit", async () => {
    const create = (name: string) =>
        kubectlAt(plane)(["create", "configmap", name, "--namespace=default", `--from-literal=text=${name}`]);
    for (let number = 0; number < 200; number++) {
        await plane.call("POST", "/api/v1/namespaces/default/configmaps", {
            metadata: { name: `kept-${number}` },
            data: { text: "x".repeat(number * 50) },
        });
    }
    create("newest");
    const folder = new Volume(targetFolder(server.backup()));
    const name = "etcd-snapshot-s1-1764554400";
    const token = `K10${"0f".repeat(32)}::server:of-the-cluster\n`;
    const taken = await snapshot();
    writeFileSync(join(folder.files, name), taken, { mode: 0o600 });
    writeFileSync(join(folder.files, "server-token"), token, { mode: 0o600 });
    writeFileSync(join(folder.files, `${name}.part`), "a snapshot that is being made");
    create("too-late");

    await folder.run("repository");
    expect((await folder.run("backup", await variablesOf("backup"))).result).toMatchObject({
        ...{ hearth: "backup", ok: true, claim: "kube-system/datastore" },
        files: 2,
    });
    await plane.remove();
    rmSync(folder.files, { recursive: true });

    const kit = kitPage(kitSchema.parse(server.backup()), { domain, date: "2026-12-01" });
    const variables = kit.split("\n").filter((line) => line.startsWith("export "));
    const restore = linesOf("docs/restore.md").filter((line) => line.startsWith("restic restore"));
    expect([variables.length, restore.length]).toEqual([2, 1]);
    execFileSync("sh", ["-euc", [...variables, ...restore].join("\n")], {
        cwd: folder.directory,
        env: { PATH: folder.path, HOME: folder.directory },
    });
    const restored = join(folder.directory, "snapshots");
    expect(readdirSync(restored).sort()).toEqual([name, "server-token"]);
    expect(readFileSync(join(restored, "server-token"), "utf8")).toBe(token);
    expect(checksum(readFileSync(join(restored, name)))).toBe(checksum(taken));

    plane = await ControlPlane.start(join(restored, name));
    const { items } = await plane.call<{ items: { metadata: { name: string }; data: { text: string } }[] }>(
        "GET",
        "/api/v1/namespaces/default/configmaps",
    );
    const texts = new Map(items.map(({ metadata, data }) => [metadata.name, data.text]));
    expect(texts.get("newest")).toBe("newest");
    expect(texts.get("kept-199")).toBe("x".repeat(199 * 50));
    expect([...texts.keys()].filter((each) => each.startsWith("kept-"))).toHaveLength(200);
    expect(texts.has("too-late")).toBe(false);
    // It accepts writes, as a cluster does.
    create("after");
    folder.remove();
});

test("a drill compares each snapshot with its checksum", async () => {
    const folder = new Volume(targetFolder(server.backup()));
    const taken = await snapshot();
    writeFileSync(join(folder.files, "server-token"), "token");
    writeFileSync(join(folder.files, "etcd-snapshot-s1-1764554400"), taken);
    const { VOLUME: _, ...env } = await variablesOf("drill");
    const drill = async () => {
        expect((await folder.run("backup", await variablesOf("backup"))).result).toMatchObject({ ok: true });
        const scratch = folder.replacement();
        expect((await scratch.run("drill", env)).code).toBe(0);
        const { result } = await scratch.run("check", env);
        scratch.remove();
        return result;
    };
    expect(await drill()).toMatchObject({ hearth: "drill", ok: true, claim: "kube-system/datastore" });

    taken.writeUInt8(taken.readUInt8(taken.length / 2) ^ 1, taken.length / 2);
    writeFileSync(join(folder.files, "etcd-snapshot-s1-1764576000"), taken);
    expect((await drill())?.message).toMatch(/etcd-snapshot-s1-1764576000 differs from its checksum$/);

    rmSync(join(folder.files, "etcd-snapshot-s1-1764554400"));
    rmSync(join(folder.files, "etcd-snapshot-s1-1764576000"));
    expect((await drill())?.message).toMatch(/\*-\[0-9\]\* is missing$/);
    folder.remove();
});
