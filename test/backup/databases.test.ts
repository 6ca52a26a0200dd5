import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../lib/root";
import { Program, runToEnd } from "../programs/program";
import { RestServer } from "./servers";
import { targetFolder, Volume } from "./volume";

// restic derives a key in each call, which takes a busy machine seconds.
jest.setTimeout(300_000);

const server = new RestServer();
let volume: Volume;

beforeAll(() => server.start());

beforeEach(() => {
    volume = new Volume(targetFolder(server.backup()));
});

afterEach(() => volume.remove());

afterAll(() => server.remove());

/** Runs a program in Python, which has SQLite. */
async function python(program: string, ...args: readonly string[]): Promise<string> {
    const { code, output } = await runToEnd("python3", ["-c", program, ...args]);
    expect([code, output]).toEqual([0, output]);
    return output.trim();
}

/** A writer of ten thousand commits, and more until its third argument exists. Each commit adds one row to two tables, so that a copy from within one has different numbers of them. */
const writer = `
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
database.execute(f"PRAGMA journal_mode = {sys.argv[2]}")
database.execute("PRAGMA synchronous = OFF")
database.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, text)")
database.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, text)")
print("ready", flush=True)
number = 0
while number < 10_000 or not os.path.exists(sys.argv[3]):
    number += 1
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO one (text) VALUES (?)", ("x" * (number % 400),))
    database.execute("INSERT INTO other (text) VALUES (?)", ("y" * (number % 300),))
    database.execute("COMMIT")
`;

const state = `
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
one, other = (database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("one", "other"))
print(database.execute("PRAGMA integrity_check").fetchone()[0], one == other, one)
`;

test.each(["WAL", "DELETE"])(
    "copies of a database under concurrent writes (%s) are consistent and end at a commit",
    async (mode) => {
        const path = join(volume.files, "folder", "notes.db");
        mkdirSync(join(volume.files, "folder"));
        await volume.run("repository");
        const writing = new Program("python3", ["-c", writer, path, mode, join(volume.directory, "enough")]);
        await writing.until(async () => writing.output.includes("ready"));
        const numbers: number[] = [];
        while (numbers.length < 8) {
            volume.clearScratch();
            expect((await volume.run("copy")).code).toBe(0);
            const copy = join(volume.directory, "copy/databases/folder/notes.db");
            const [integrity, agrees, count] = (await python(state, copy)).split(" ");
            expect([integrity, agrees]).toEqual(["ok", "True"]);
            numbers.push(Number(count));
        }
        writeFileSync(join(volume.directory, "enough"), "");
        expect(await writing.exit()).toBe(0);
        expect((await volume.backup()).result).toMatchObject({ ok: true });
        const last = volume.replacement();
        await last.run("prepare");

        // Each copy was made during writes, later copies contain all rows of earlier ones, and the last has all rows.
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        const written = await python(state, path);
        expect(await python(state, join(last.files, "folder/notes.db"))).toBe(written);
        expect(Number(written.split(" ")[2])).toBeGreaterThanOrEqual(10_000);
        // Without the live database's log and shared memory, which would not match the copy.
        expect(Object.keys(last.content())).toEqual(["folder/notes.db"]);
        last.remove();
    },
    300_000,
);

test("copies a file with only SQLite's header as a file; the drill detects a damaged database", async () => {
    volume.write("header-only.db", "SQLite format 3\0 and nothing else");
    await python(
        'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute("CREATE TABLE t (x)"); ' +
            'd.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 400); d.commit()',
        join(volume.files, "damaged.db"),
    );
    const bytes = readFileSync(join(volume.files, "damaged.db"));
    bytes.fill(0xff, 20_000, 60_000);
    writeFileSync(join(volume.files, "damaged.db"), bytes);
    await volume.run("repository");
    expect((await volume.backup()).result).toMatchObject({ ok: true });

    const scratch = volume.replacement();
    expect((await scratch.run("drill", { DRILL: "yes" })).code).toBe(0);
    const { code, result } = await scratch.run("check", { DRILL: "yes" });
    expect([code, result?.reason]).toEqual([20, "check"]);
    expect(result?.message).toMatch(/the copy \w{8} of .* is not whole: .*\.db: /);
    scratch.remove();
});

test("fails with one sentence for a database that its program keeps locked, and blocks nothing", async () => {
    const path = join(volume.files, "notes.db");
    const holder = new Program("python3", [
        "-c",
        'import sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); d.execute("CREATE TABLE t (x)"); ' +
            'd.execute("BEGIN EXCLUSIVE"); print("held", flush=True); sys.stdin.read() or __import__("signal").pause()',
        path,
    ]);
    await holder.until(async () => holder.output.includes("held"));
    await volume.run("repository");

    const { code, result } = await volume.backup({ LOCK_TIMEOUT: "0" });
    await holder.stop();

    expect([code, result?.reason]).toEqual([17, "incomplete"]);
    expect(result?.message).toContain("notes.db is held locked by its program");
}, 120_000);

test("copies Garage's metadata from its own snapshot", async () => {
    volume.write("node_key", "key");
    volume.write("db.lmdb/data.mdb", "torn");
    volume.write("snapshots/2026-11-29T02:00:00Z/db.lmdb/data.mdb", "older");
    volume.write("snapshots/2026-11-30T02:00:00Z/db.lmdb/data.mdb", "whole");
    await volume.run("repository");
    expect((await volume.backup({ EXCLUDE: "db.lmdb" })).code).toBe(0);

    const fresh = volume.replacement();
    const first = { LOADS: "yes", START: "start" };
    expect((await fresh.run("prepare", first)).code).toBe(0);
    const load = [
        "sh",
        join(root, "charts/common/files/backup.sh"),
        "load",
        "sh",
        join(root, "charts/garage/backup/load.sh"),
    ];
    expect((await fresh.command(load, first)).code).toBe(0);
    expect((await fresh.run("start", first)).code).toBe(0);

    expect(readFileSync(join(fresh.files, "db.lmdb/data.mdb"), "utf8")).toBe("whole");
    expect(readFileSync(join(fresh.files, "node_key"), "utf8")).toBe("key");
    fresh.remove();
});
