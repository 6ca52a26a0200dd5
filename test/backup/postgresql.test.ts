import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../lib/ports";
import { root } from "../../lib/root";
import { postgresqlDirectory } from "../../toolchain/postgresql";
import { Program, runToEnd } from "../programs/program";
import { RestServer } from "./servers";
import { targetFolder, Volume } from "./volume";

/** PostgreSQL refuses to run as root. */
// restic derives a key in each call, which takes a busy machine seconds.
jest.setTimeout(300_000);

const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
const rest = new RestServer();
const directory = mkdtempSync(join(tmpdir(), "hearth-postgres-"));
const program = (name: string) => join(postgresqlDirectory(), name);
let volume: Volume;
let server: Program;
let port: number;

async function start(data: string): Promise<Program> {
    port = await freePort();
    const started = new Program(
        program("postgres"),
        [
            "-D",
            data,
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            `port=${port}`,
            "-c",
            `unix_socket_directories=${directory}`,
        ],
        { ...nobody, cwd: directory },
    );
    await started.until(async () => started.output.includes("ready to accept connections"));
    return started;
}

const environment = () => ({
    PATH: `${postgresqlDirectory()}:${volume.path}`,
    PGHOST: "127.0.0.1",
    PGPORT: String(port),
    PGUSER: "postgres",
});

async function query(sql: string, database = "postgres"): Promise<string> {
    const { code, output } = await runToEnd(
        program("psql"),
        [
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            `--dbname=${database}`,
            `--command=${sql}`,
        ],
        { ...nobody, cwd: directory, env: environment() },
    );
    expect([code, output]).toEqual([0, output]);
    return output.trim();
}

beforeAll(async () => {
    chmodSync(directory, 0o755);
    chownSync(directory, nobody.uid ?? process.getuid?.() ?? 0, nobody.gid ?? process.getgid?.() ?? 0);
    await rest.start();
    volume = new Volume(targetFolder(rest.backup()), { CLAIM: "database/postgres-data" });
    const data = join(directory, "pgdata");
    const made = await runToEnd(program("initdb"), ["--pgdata", data, "--username=postgres", "--auth=trust"], {
        ...nobody,
        cwd: directory,
    });
    expect([made.code, made.output]).toEqual([0, made.output]);
    server = await start(data);
    await query("CREATE ROLE photos LOGIN PASSWORD 'of photos'");
    await query('CREATE DATABASE "photo archive" OWNER photos');
    await query("CREATE TABLE one (id serial PRIMARY KEY, text text)", "photo archive");
    await query("INSERT INTO one (text) SELECT md5(i::text) FROM generate_series(1, 5000) i", "photo archive");
}, 120_000);

afterAll(async () => {
    await server.stop();
    volume.remove();
    await rest.remove();
    rmSync(directory, { recursive: true, force: true });
});

test("restores databases with their owners and passwords into a server on an empty volume", async () => {
    await volume.run("repository");
    volume.clearScratch();
    const dumped = await volume.command(["bash", join(root, "charts/database/backup/dump.sh")], {
        ...environment(),
        DUMPS: join(volume.directory, "copy/databases/dumps"),
    });
    expect([dumped.code, dumped.output]).toEqual([0, expect.stringContaining("dumped photo archive")]);
    expect((await volume.run("backup")).result).toMatchObject({ ok: true });
    const before = await query("SELECT md5(string_agg(text, ',' ORDER BY id)) FROM one", "photo archive");
    await server.stop();

    const fresh = volume.replacement();
    const first = { LOADS: "yes", START: "start" };
    expect((await fresh.run("prepare", first)).code).toBe(0);
    // The container of the chart runs as PostgreSQL's user, who owns the volume by its fsGroup.
    await runToEnd("chown", ["-R", `${nobody.uid ?? process.getuid?.()}`, fresh.directory]);
    chmodSync(fresh.directory, 0o755);
    const load = [
        "sh",
        join(root, "charts/common/files/backup.sh"),
        "load",
        "bash",
        join(root, "charts/database/backup/load.sh"),
    ];
    const env = { ...first, PATH: `${postgresqlDirectory()}:${fresh.path}`, VOLUME: fresh.files };
    const loaded = await runToEnd(load[0] ?? "", load.slice(1), { ...nobody, cwd: directory, env });
    expect([loaded.code, loaded.output]).toEqual([0, expect.stringContaining("loaded photo archive.dump")]);
    expect((await fresh.run("start", first)).code).toBe(0);
    await runToEnd("chown", ["-R", `${nobody.uid ?? process.getuid?.()}`, fresh.files]);
    server = await start(join(fresh.files, "pgdata"));

    expect(await query("SELECT md5(string_agg(text, ',' ORDER BY id)) FROM one", "photo archive")).toBe(before);
    expect(await query("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'photo archive'")).toBe(
        "photos",
    );
    expect(await query("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'photos'")).toBe("t");
}, 180_000);
