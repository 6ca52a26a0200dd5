import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { kubectlAt, startCluster } from "./cluster";
import type { ControlPlane } from "./control-plane";
import type { Kubelet } from "./kubelet";
import { RestServer } from "./servers";

// Each step starts a pod, on a busy machine.
jest.setTimeout(15 * 60_000);

/** Services, each with the claims that it keeps. */
const claims = {
    vaultwarden: ["vaultwarden-data"],
    audiobookshelf: ["audiobookshelf-config", "audiobookshelf-metadata"],
    mealie: ["mealie-data"],
};
const charts = Object.keys(claims);
const pairs = Object.entries(claims).flatMap(([chart, names]) => names.map((name) => [chart, name] as const));

const server = new RestServer();
let plane: ControlPlane;
let kubelet: Kubelet;

beforeAll(async () => {
    await server.start();
    ({ plane, kubelet } = await startCluster(charts, server.backup()));
});

afterAll(async () => {
    await kubelet?.remove();
    await plane?.remove();
    await server.remove();
});

/** Checksums of a volume's files, by path; for a database, the checksum of its rows. */
function checksums(volume: string): Record<string, string> {
    const entries = readdirSync(volume, { recursive: true, withFileTypes: true })
        .map((each) => ({ file: each.isFile(), path: join(each.parentPath, each.name) }))
        .filter(({ file, path }) => file && !/\.hearth-(volume|restore)|-(wal|shm|journal)$/.test(path));
    return Object.fromEntries(
        entries
            .map(({ path }) => [
                relative(volume, path),
                createHash("sha256")
                    .update(path.endsWith(".sqlite3") ? execFileSync("sqlite3", [path, ".dump"]) : readFileSync(path))
                    .digest("hex"),
            ])
            .sort(),
    );
}

const volumes = () => pairs.map(([chart, name]) => checksums(kubelet.claim(chart, name)));

/** Runs the Job of a CronJob to its end. */
async function runNow(namespace: string, cronJob: string): Promise<void> {
    const job = `${cronJob}-now`;
    kubectlAt(plane)(["create", "job", job, `--from=cronjob/${cronJob}`, `--namespace=${namespace}`]);
    const path = `/apis/batch/v1/namespaces/${namespace}/jobs/${job}`;
    await plane.until(`${job} is complete`, async () => {
        const { status } = await plane.call<{ status?: { succeeded?: number } }>("GET", path);
        return status?.succeeded === 1;
    });
}

test("a home whose cluster, disks and state are lost gets every volume restored before its services start", async () => {
    for (const [chart, name] of pairs) {
        const volume = kubelet.claim(chart, name);
        mkdirSync(join(volume, "folder with spaces/.hidden"), { recursive: true });
        writeFileSync(join(volume, "folder with spaces/.hidden/[*] $HOME"), name);
        writeFileSync(join(volume, "large"), name.repeat(200_000));
        writeFileSync(join(volume, "empty"), "");
        symlinkSync("large", join(volume, "link"));
    }
    execFileSync("sqlite3", [
        join(kubelet.claim("vaultwarden", "vaultwarden-data"), "db.sqlite3"),
        "insert into notes values ('kept')",
    ]);
    const before = volumes();
    await runNow("backup", "repository");
    for (const [chart, name] of pairs) {
        await runNow(chart, `${name}-backup`);
    }
    await kubelet.remove();
    await plane.remove();

    // Only settings, charts and the remote repository are left.
    ({ plane, kubelet } = await startCluster(charts, server.backup()));

    expect(volumes()).toEqual(before);
});
