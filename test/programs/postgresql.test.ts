import { spawnSync } from "node:child_process";
import {
    chmodSync,
    chownSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    readFileSync,
    rmSync,
    utimesSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../lib/ports";
import { postgresqlDirectory } from "../../toolchain/postgresql";
import { configFile, containers, type Manifest, ofKind, workloads } from "../charts/manifest";
import { Workspace } from "../charts/workspace";
import { Program, runToEnd } from "./program";

/** PostgreSQL refuses to run as root. */
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
/** Parts that are only in the chart's image, not in Debian's PostgreSQL. */
const onlyInImage = "vchord";
const passwords = { superuser: "for-the-superuser", immich: "for-immich", paperless: 'it\'s for "paperless"; --' };

const directory = mkdtempSync(join(tmpdir(), "hearth-postgresql-"));
const program = (name: string) => join(postgresqlDirectory(), name);
const folder = (name: string) => join(directory, name);
let objects: Manifest[];
let server: Program;
let port: number;

/**
 * Reports whether the package of pgvector is installed, which VectorChord depends on; Debian has it from release 13 on.
 */
function hasVectors(): boolean {
    const { stdout } = spawnSync(program("pg_config"), ["--sharedir"], { encoding: "utf8" });
    const folders = [
        stdout?.trim(),
        postgresqlDirectory()
            .replace("/lib/", "/share/")
            .replace(/\/bin$/, ""),
    ];
    return folders.some((each) => each && existsSync(join(each, "extension/vector.control")));
}

/**
 * Parts of Immich's tables that a restore can fail on: types, functions and indexes of extensions, which depend on the
 * search path.
 */
const likeImmich = [
    "CREATE EXTENSION unaccent",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE TABLE places (id serial PRIMARY KEY, name text NOT NULL, latitude float8, longitude float8)",
    // With every name's schema, as in Immich's server/src/schema/functions.ts: pg_restore sets an empty search_path.
    `CREATE FUNCTION on_earth(latitude float8, longitude float8) RETURNS public.earth IMMUTABLE STRICT LANGUAGE SQL AS
        'SELECT public.cube(public.cube(public.cube(public.earth() * cos(radians(latitude)) * cos(radians(longitude))), public.earth() * cos(radians(latitude)) * sin(radians(longitude))), public.earth() * sin(radians(latitude)))::public.earth'`,
    "CREATE FUNCTION plain(text) RETURNS text IMMUTABLE STRICT LANGUAGE SQL RETURN unaccent('unaccent', $1)",
    "CREATE INDEX ON places USING gin (plain(name) gin_trgm_ops)",
    "CREATE INDEX ON places USING gist (on_earth(latitude, longitude))",
    "INSERT INTO places (name, latitude, longitude) VALUES ('Zürich', 47.4, 8.5), ('Wien', 48.2, 16.4)",
    ...(hasVectors()
        ? [
              "CREATE TABLE faces (id int PRIMARY KEY REFERENCES places, embedding vector(3) NOT NULL)",
              "CREATE INDEX ON faces USING hnsw (embedding vector_cosine_ops)",
              "INSERT INTO faces VALUES (1, '[1,0,0]'), (2, '[0,1,0]')",
          ]
        : []),
];

/** A file that PostgreSQL's user may read. */
function write(name: string, text: string): string {
    writeFileSync(folder(name), text);
    return folder(name);
}

/** Runs a client as a user of the database. */
async function client(name: string, args: readonly string[], user: string, password: string, options = "") {
    return runToEnd(program(name), args, {
        ...nobody,
        cwd: directory,
        env: {
            PGHOST: "127.0.0.1",
            PGPORT: String(port),
            PGUSER: user,
            PGPASSWORD: password,
            PGOPTIONS: options,
        },
    });
}

const query = async (sql: string, database: string, user = "postgres", password = passwords.superuser) =>
    client(
        "psql",
        ["--no-psqlrc", "--tuples-only", "--no-align", `--dbname=${database}`, `--command=${sql}`],
        user,
        password,
    );

/** Runs the chart's Job. */
async function roles() {
    const job = ofKind(objects, "Job")[0]?.spec?.template.spec?.containers[0];
    const env = Object.fromEntries((job?.env ?? []).map(({ name, value }) => [name, value ?? ""]));
    const args = (job?.command ?? []).slice(1).map((each) => each.replace("/etc/roles/", `${directory}/`));
    expect(job?.command?.[0]).toBe("psql");
    return client("psql", args, env["PGUSER"] ?? "", passwords.superuser, env["PGOPTIONS"]);
}

/** Runs the chart's CronJob. */
async function dump() {
    const script = configFile(objects, "dump", "dump.sh").replaceAll("/dumps", folder("dumps"));
    return runToEnd("bash", ["-c", script], {
        ...nobody,
        cwd: directory,
        env: {
            PATH: `${postgresqlDirectory()}:${process.env["PATH"]}`,
            PGHOST: "127.0.0.1",
            PGPORT: String(port),
            PGUSER: "postgres",
            PGPASSWORD: passwords.superuser,
        },
    });
}

beforeAll(async () => {
    const workspace = new Workspace("helm4");
    const extensions = ["earthdistance", ...(hasVectors() ? ["vector"] : [])];
    const databases = { immich: { extensions }, paperless: {} };
    try {
        const chart = await workspace.render("database");
        expect(configFile(chart, "roles", "roles.sql")).toContain(`CREATE EXTENSION IF NOT EXISTS ${onlyInImage}`);
        objects = await workspace.render("database", "--set-json", `databases=${JSON.stringify(databases)}`);
    } finally {
        workspace.remove();
    }
    chmodSync(directory, 0o755);
    for (const name of ["data", "socket", "passwords", "dumps"]) {
        mkdirSync(folder(name));
        if (nobody.uid) {
            chownSync(folder(name), nobody.uid, nobody.gid);
        }
    }
    for (const [name, password] of Object.entries(passwords)) {
        write(`passwords/${name}-password`, password);
    }
    write("roles.sql", configFile(objects, "roles", "roles.sql").replaceAll("/run/passwords", folder("passwords")));
    const container = containers(objects).find(
        (each) => each.workload.name === "postgres" && each.container.name === "postgres",
    )?.container;
    const initial = container?.env?.find(({ name }) => name === "POSTGRES_INITDB_ARGS")?.value?.split(" ") ?? [];
    const [first, ...args] = container?.args ?? [];
    expect(first).toBe("postgres");
    // Like the image's entrypoint.
    expect(
        await runToEnd(
            program("initdb"),
            [
                ...initial,
                "--username=postgres",
                `--pwfile=${folder("passwords/superuser-password")}`,
                "--auth-host=scram-sha-256",
                "--auth-local=trust",
                `--pgdata=${folder("data")}`,
            ],
            { ...nobody, cwd: directory, env: {} },
        ),
    ).toHaveEndedWith(0);
    port = await freePort();
    server = new Program(
        program("postgres"),
        [
            "-D",
            folder("data"),
            "-p",
            String(port),
            "-k",
            folder("socket"),
            ...args.map((each) => each.replace(`=${onlyInImage}`, "=")),
        ],
        { ...nobody, cwd: directory, env: {} },
    );
    await server.until(async () => (await query("SELECT 1", "postgres")).code === 0);
});

afterAll(async () => {
    await server.stop();
    rmSync(directory, { recursive: true });
});

describe("PostgreSQL", () => {
    test("accepts the chart's settings", async () => {
        expect((await query("SHOW max_connections", "postgres")).output.trim()).toBe("200");
        expect((await query("SHOW data_checksums", "postgres")).output.trim()).toBe("on");
    });

    test("runs the Job's SQL, and a rerun changes nothing", async () => {
        const state = async () =>
            (
                await query(
                    "SELECT datname, datdba::regrole, datacl FROM pg_database ORDER BY 1; SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolcanlogin FROM pg_roles ORDER BY 1",
                    "postgres",
                )
            ).output;
        expect(await roles()).toHaveEndedWith(0);
        const first = await state();

        expect(first).toMatch(/^immich\|immich\|/m);
        expect(await roles()).toHaveEndedWith(0);
        expect(await state()).toBe(first);
    });

    test.each(["immich", "paperless"] as const)(
        "lets %s log in with its password, as the owner of its database",
        async (name) => {
            const sql = "CREATE TABLE mine (id int); DROP TABLE mine";

            expect(await query(sql, name, name, passwords[name])).toHaveEndedWith(0);
        },
    );

    test("gives Immich the extensions that it needs", async () => {
        const sql = "SELECT earth_distance(ll_to_earth(48.2, 16.4), ll_to_earth(48.2, 16.4))";

        expect(await query(sql, "immich", "immich", passwords.immich)).toMatchObject({ code: 0, output: "0\n" });
    });

    test("updates extensions when a newer image has newer versions", async () => {
        const version = async () =>
            (await query("SELECT extversion FROM pg_extension WHERE extname = 'pg_trgm'", "immich")).output.trim();
        expect(await query("CREATE EXTENSION pg_trgm VERSION '1.5'", "immich")).toHaveEndedWith(0);
        expect(await version()).toBe("1.5");
        expect(await roles()).toHaveEndedWith(0);
        expect(await version()).toBe("1.6");
    });

    test("denies an app access to another app's database, and any client without the password to all", async () => {
        const other = await query("SELECT 1", "paperless", "immich", passwords.immich);
        const wrong = await query("SELECT 1", "immich", "immich", passwords.paperless);

        expect(other.output).toMatch(/permission denied for database "paperless"/);
        expect(wrong.output).toMatch(/password authentication failed for user "immich"/);
    });

    test("sets a new password at the next run", async () => {
        write("passwords/immich-password", "another one");
        expect(await roles()).toHaveEndedWith(0);
        expect((await query("SELECT 1", "immich", "immich", "another one")).code).toBe(0);

        write("passwords/immich-password", passwords.immich);
        expect(await roles()).toHaveEndedWith(0);
    });

    test("logs no password, even if the server logs every statement or a statement fails", async () => {
        const settings = ["log_statement = 'all'", "default_transaction_read_only = on"];
        for (const setting of settings) {
            expect(await query(`ALTER SYSTEM SET ${setting}`, "postgres")).toHaveEndedWith(0);
        }
        expect(await query("SELECT pg_reload_conf()", "postgres")).toHaveEndedWith(0);
        await server.until(async () => (await query("SHOW log_statement", "postgres")).output.trim() === "all");
        const failed = await roles();
        const writable = ["--command=SET default_transaction_read_only = off", "--command=ALTER SYSTEM RESET ALL"];
        const reset = [...writable, "--command=SELECT pg_reload_conf()", "--dbname=postgres"];
        expect(await client("psql", reset, "postgres", passwords.superuser)).toHaveEndedWith(0);

        expect(failed.output).toContain("cannot execute ALTER ROLE in a read-only transaction");
        expect(server.output).toContain("cannot execute ALTER ROLE in a read-only transaction");
        expect(server.output).toContain("statement: SHOW log_statement");
        for (const password of Object.values(passwords)) {
            expect(server.output).not.toContain(password);
        }
    });

    test("is dumped every night to one file per database and one for the users, and old dumps are deleted", async () => {
        const [old, recent] = ["2020-01-01", "2020-01-20"].map((day) => join(folder("dumps"), day)) as [string, string];
        for (const [path, days] of [
            [old, 16],
            [recent, 13],
        ] as const) {
            mkdirSync(path);
            const time = Date.now() / 1000 - days * 86_400;
            utimesSync(path, time, time);
            if (nobody.uid) {
                chownSync(path, nobody.uid, nobody.gid);
            }
        }
        const outcome = await dump();

        expect(outcome).toHaveEndedWith(0);
        expect([existsSync(old), existsSync(recent)]).toEqual([false, true]);
        const today = readdirSync(folder("dumps")).find((name) => !name.startsWith("2020")) ?? "";
        expect(readdirSync(join(folder("dumps"), today)).sort()).toEqual([
            "immich.dump",
            "paperless.dump",
            "roles.sql",
        ]);
        const restored = await runToEnd(program("pg_restore"), ["--list", join(folder("dumps"), today, "immich.dump")]);
        expect(restored.output).toMatch(/EXTENSION - earthdistance/);
    });

    test("is restored from a dump by the commands of docs/restore.md, including the apps' own access", async () => {
        const mine = (sql: string) => query(sql, "immich", "immich", passwords.immich);
        expect(await mine("CREATE TABLE photos (name text); INSERT INTO photos VALUES ('cat')")).toMatchObject({
            code: 0,
        });
        for (const sql of likeImmich) {
            expect(await mine(sql)).toHaveEndedWith(0);
        }
        expect(await dump()).toHaveEndedWith(0);
        const day = readdirSync(folder("dumps")).find((name) => !name.startsWith("2020")) ?? "";
        // Lost and recreated: the Job has created the database and user, and the app its tables.
        expect(await query("DROP DATABASE immich", "postgres")).toHaveEndedWith(0);
        expect(await roles()).toHaveEndedWith(0);
        expect(await mine("CREATE TABLE photos (name text, size int); CREATE TABLE later ()")).toMatchObject({
            code: 0,
        });

        const page = readFileSync(join(__dirname, "../../docs/restore.md"), "utf8");
        const [name = "", ...args] = JSON.parse(/"value": (\["pg_restore".*?\])/.exec(page)?.[1] ?? "[]");
        const inHere = args.map((each: string) => each.replace(/^\/dumps\/[^/]+/, join(folder("dumps"), day)));
        expect(await client(name, inHere, "postgres", passwords.superuser)).toHaveEndedWith(0);

        expect(await mine("SELECT * FROM photos")).toMatchObject({ code: 0, output: "cat\n" });
        expect((await mine("SELECT * FROM later")).output).toMatch(/relation "later" does not exist/);
        expect(await mine("INSERT INTO photos VALUES ('dog')")).toHaveEndedWith(0);
        expect((await query("SELECT 1", "immich", "paperless", passwords.paperless)).output).toMatch(
            /permission denied/,
        );
        const found = "SELECT name FROM places WHERE plain(name) ILIKE '%zurich%'";
        expect(await mine(found)).toMatchObject({ code: 0, output: "Zürich\n" });
        if (hasVectors()) {
            const nearest = "SELECT id FROM faces ORDER BY embedding <=> '[0.1,0.9,0]' LIMIT 1";
            expect(await mine(`SET enable_seqscan = off; ${nearest}`)).toMatchObject({ output: "SET\n2\n" });
            expect((await mine(`SET enable_seqscan = off; EXPLAIN ${nearest}`)).output).toMatch(
                /Index Scan using faces_/,
            );
        }
    });

    test("rejects an unknown setting", async () => {
        const args = ["-D", folder("data"), "-c", "max_conections=200"];

        expect((await runToEnd(program("postgres"), args, { ...nobody, cwd: directory, env: {} })).output).toContain(
            'unrecognized configuration parameter "max_conections"',
        );
    });
});

test("all workloads with the database's image use one release", () => {
    const images = workloads(objects).map(({ template }) => template.spec?.containers[0]?.image);

    expect(new Set(images).size).toBe(1);
});
