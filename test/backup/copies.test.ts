import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RestServer } from "./servers";
import { targetFolder, Volume } from "./volume";

// restic derives a key in each call, which takes a busy machine seconds.
jest.setTimeout(300_000);

const server = new RestServer();
const volumes: Volume[] = [];

function volume(backup = server.backup(), env: Readonly<Record<string, string>> = {}): Volume {
    const made = new Volume(targetFolder(backup), env);
    volumes.push(made);
    return made;
}

/** A volume that replaces the lost one. */
function lost(before: Volume): Volume {
    const made = before.replacement();
    volumes.push(made);
    return made;
}

beforeAll(() => server.start());

beforeEach(() => rmSync(join(server.directory, "home"), { recursive: true, force: true }));

afterAll(async () => {
    for (const each of volumes) {
        each.remove();
    }
    await server.remove();
});

test("restores every file of a lost volume before the service starts", async () => {
    const notes = volume();
    notes.write("notes.md", "milk");
    notes.write(".hidden/deep/empty", "");
    notes.write("name with *, [brackets] and $HOME", "x");
    notes.write("large", "0123456789".repeat(500_000));
    symlinkSync("notes.md", join(notes.files, "link"));
    expect((await notes.run("repository")).result).toMatchObject({ hearth: "repository", ok: true });
    expect((await notes.backup()).result).toMatchObject({
        ...{ hearth: "backup", ok: true, claim: "notes/notes-data" },
        copies: { main: expect.stringMatching(/^[0-9a-f]{8}$/) },
        bytes: expect.any(Number),
    });

    const fresh = lost(notes);
    const { code, result } = await fresh.run("prepare");

    expect([code, result?.message]).toEqual([0, expect.stringContaining("restored from the copy")]);
    expect(fresh.content()).toEqual(notes.content());
    expect(readdirSync(fresh.files)).toContain("link");
    // From now on it starts without the target.
    await server.stop();
    expect((await fresh.run("prepare")).code).toBe(0);
    await server.start();
});

test("never overwrites a volume with data, whatever the repository holds", async () => {
    const notes = volume();
    notes.write("notes.md", "milk");
    await notes.run("repository");
    await notes.backup();
    const other = lost(notes);
    other.write("notes.md", "bread");

    expect((await other.run("prepare")).code).toBe(0);
    expect(readFileSync(join(other.files, "notes.md"), "utf8")).toBe("bread");
});

test("does not treat a volume that cannot be listed as empty", async () => {
    const notes = volume();

    const { code, result } = await notes.run("prepare", { VOLUME: join(notes.directory, "none") });
    expect([code, result?.message]).toEqual([1, expect.stringContaining("cannot be listed")]);
});

test("starts a volume without a copy empty, reports it, and later starts without contacting the target", async () => {
    const notes = volume();
    await notes.run("repository");

    expect((await notes.run("prepare")).result?.message).toContain("starts empty");
    await server.stop();
    expect((await notes.run("prepare")).code).toBe(0);
    await server.start();
});

test("starts a new home empty while its target has no repository", async () => {
    expect((await volume().run("prepare")).result?.message).toContain("starts empty");
});

test("waits for an unreachable target and reports it, unless hearth:backup allows an empty start", async () => {
    const notes = volume();
    notes.write("notes.md", "milk");
    await notes.run("repository");
    await notes.backup();
    await server.stop();
    const fresh = lost(notes);

    const waiting = await fresh.run("prepare");
    expect([waiting.code, waiting.result?.reason]).toEqual([10, "unreachable"]);
    expect(waiting.result?.message).toMatch(/waits for its copy.*cannot be reached.*hearth:backup.startEmpty/);
    expect(fresh.content()).toEqual({});

    await server.start();
    expect((await fresh.run("prepare")).code).toBe(0);
    expect(fresh.content()).toEqual(notes.content());

    await server.stop();
    const impatient = lost(notes);
    expect((await impatient.run("prepare", { START_EMPTY: "true" })).result?.message).toContain("starts empty");
    await server.start();
});

test("writes every copy to the second target, and restores from it when the first is lost", async () => {
    const other = await new RestServer().start();
    const second = { target: `rest:http://127.0.0.1:${other.port}/home/` };
    const notes = volume(server.backup({ second }), { TARGETS: "main second" });
    notes.write("notes.md", "milk");
    await notes.run("repository");
    expect(Object.keys((await notes.backup()).result?.copies ?? {})).toEqual(["main", "second"]);

    await server.stop();
    const fresh = lost(notes);
    expect((await fresh.run("prepare")).code).toBe(0);
    expect(fresh.content()).toEqual(notes.content());
    // A failing target does not block the other one.
    notes.write("notes.md", "bread");
    const half = await notes.backup();
    expect(half.result).toMatchObject({ ok: false, reason: "unreachable", target: "main" });
    expect(half.result?.copies).toEqual({ second: expect.any(String) });
    await server.start();
    await other.remove();
});

describe("invalid input: one sentence, and no copy is lost", () => {
    test("a password that does not open the repository", async () => {
        const notes = volume();
        notes.write("notes.md", "milk");
        await notes.run("repository");
        const wrong = volume(server.backup({ password: "another" }));
        wrong.write("notes.md", "bread");

        const { code, result } = await wrong.backup();
        expect([code, result?.reason]).toEqual([11, "password"]);
        expect(result?.message).toContain("hearth:backup.password does not open the main target");
        expect((await lost(wrong).run("prepare")).code).toBe(11);
    });

    test("the repository of another home", async () => {
        const notes = volume();
        notes.write("notes.md", "milk");
        await notes.run("repository");
        await notes.backup();
        const cabin = volume(server.backup(), { HOME_NAME: "cabin.example.com" });
        cabin.write("notes.md", "wood");

        for (const action of ["repository", "prune"]) {
            expect((await cabin.run(action)).code).toBe(14);
        }
        const { code, result } = await cabin.backup();
        expect([code, result?.reason]).toEqual([14, "other-home"]);
        expect(result?.message).toContain("belongs to the home home.example.com, and this is cabin.example.com");
    });

    test("a copy never creates a missing repository: two homes could do so at the same time", async () => {
        const notes = volume();
        notes.write("notes.md", "milk");

        const { code, result } = await notes.backup();
        expect([code, result?.message]).toEqual([18, expect.stringContaining("has no repository yet")]);
    });

    test("a full target", async () => {
        const notes = volume();
        notes.write("notes.md", "milk");
        await notes.run("repository");
        await server.stop();
        await server.start("--max-size", "1");
        const { result } = await notes.backup();
        expect(result).toMatchObject({ ok: false, reason: "full" });
        expect(result?.message).toContain("is full");
        await server.stop();
        await server.start();
        expect((await notes.backup()).code).toBe(0);
    });

    test("a clock that is behind: no copy gets a wrong time", async () => {
        const notes = volume();
        notes.write("notes.md", "milk");
        await notes.run("repository");
        const bin = join(notes.directory, "bin");
        mkdirSync(bin);
        // `date +%s` of a node whose clock is an hour behind.
        writeFileSync(join(bin, "date"), '#!/bin/sh\nexec /bin/date -d "1 hour ago" "$@"\n', { mode: 0o755 });
        await notes.backup();

        const behind = await notes.backup({ PATH: `${bin}:${notes.path}` });
        expect([behind.code, behind.result?.reason]).toEqual([15, "clock"]);
        expect(behind.result?.message).toContain("correct the node's time");
    });

    test("an unreadable file: the incomplete copy never counts as one", async () => {
        const notes = volume();
        notes.write("notes.md", "milk");
        await notes.run("repository");
        await notes.backup();
        const before = (await notes.run("repository", { ACTION: "list" })).output;
        notes.write("more.md", "bread");
        await server.stop();
        await server.start("--append-only");
        const fails = join(notes.directory, "bin");
        mkdirSync(fails);
        // Root can read everything, so restic is wrapped to report an unreadable file.
        writeFileSync(
            join(fails, "restic"),
            `#!/bin/sh\ncase "$*" in backup*databases*) exec ${notes.restic} "$@" /proc/self/mem ;; *) exec ${notes.restic} "$@" ;; esac\n`,
            { mode: 0o755 },
        );
        const { code, result } = await notes.backup({ PATH: `${fails}:${notes.path}` });
        await server.stop();
        await server.start();

        expect([code, result?.reason]).toEqual([17, "incomplete"]);
        const copies = (text: string) => text.match(/"copy":"\w+"/g);
        expect(copies((await notes.run("repository", { ACTION: "list" })).output)).toEqual(copies(before));
        // Such a run may be killed as soon as restic has ended, and some targets do not allow deletion.
        const fresh = lost(notes);
        expect((await fresh.run("prepare")).code).toBe(0);
        expect(Object.keys(fresh.content())).toEqual(["notes.md"]);
    });

    test("a namespace without access to the target: its new service waits, and reports the next step", async () => {
        const notes = volume();
        rmSync(notes.target, { recursive: true });
        mkdirSync(notes.target);

        const { code, result } = await notes.run("prepare");
        expect([code, result?.message]).toEqual([10, expect.stringContaining("run npx pulumi up")]);
    });
});

test("a copy reads only what has changed since the last copy of the same claim", async () => {
    const notes = volume();
    notes.write("notes.md", "milk");
    notes.write("photo", "beach");
    await notes.run("repository");
    // Every pod has its volume at the same place.
    const runs: Record<string, string>[] = [
        { EXCLUDE: "photo" },
        { EXCLUDE: "notes.md", CLAIM: "photos/photos-data" },
        { EXCLUDE: "photo" },
    ];
    for (const env of runs) {
        expect((await notes.backup(env)).result?.ok).toBe(true);
    }
    const env = { RESTIC_REPOSITORY_FILE: join(notes.target, "main.repository") };
    const password = { RESTIC_PASSWORD_FILE: join(notes.target, "password") };
    const { output } = await notes.command([notes.restic, "snapshots", "--json"], { ...env, ...password });
    const last = JSON.parse(output).at(-1) as { tags: string[]; summary: object };

    expect(last).toMatchObject({
        tags: expect.arrayContaining(["notes/notes-data"]),
        summary: { files_unmodified: 1 },
    });
});

test("deletes old copies by hearth:backup.keep, and keeps the home's marker", async () => {
    const notes = volume();
    await notes.run("repository");
    for (const content of ["one", "two", "three"]) {
        notes.write("notes.md", content);
        await notes.backup();
    }
    const keep = { KEEP_DAILY: "1", KEEP_WEEKLY: "0", KEEP_MONTHLY: "0" };

    expect((await notes.run("prune", keep)).result).toMatchObject({ hearth: "prune", ok: true });
    expect((await notes.run("repository", { ACTION: "list" })).output.match(/"copy"/g)).toHaveLength(1);
    const fresh = lost(notes);
    await fresh.run("prepare");
    expect(fresh.content()).toEqual(notes.content());
});

test("a drill restores the newest copy, verifies it and leaves nothing behind", async () => {
    const notes = volume();
    notes.write("notes.md", "milk");
    await notes.run("repository");
    await notes.backup();
    const scratch = lost(notes);
    const drill = { DRILL: "yes", EXPECT: "notes.md" };

    expect((await scratch.run("drill", drill)).code).toBe(0);
    expect((await scratch.run("check", drill)).result).toMatchObject({ hearth: "drill", ok: true, files: 1 });
    expect(readdirSync(scratch.files)).toEqual([]);

    await scratch.run("drill", drill);
    const missing = await scratch.run("check", { ...drill, EXPECT: "keys/*.pem" });
    expect([missing.code, missing.result?.reason]).toEqual([20, "check"]);
    expect(missing.result?.message).toContain("keys/*.pem is missing");
});

describe("hack/restore", () => {
    async function restorable(): Promise<Volume> {
        const notes = volume();
        notes.write("notes.md", "milk");
        notes.write("folder/more.md", "butter");
        await notes.run("repository");
        await notes.backup();
        notes.write("notes.md", "spoiled");
        notes.write("later.md", "later");
        return notes;
    }

    /** Steps of the Job's pod: fetch, check, swap. */
    async function restore(notes: Volume, env: Readonly<Record<string, string>> = {}) {
        for (const action of ["restore", "check"]) {
            const ended = await notes.run(action, env);
            if (ended.code !== 0) {
                return ended;
            }
        }
        return notes.run("swap", env);
    }

    test("swaps the copy and the data, keeps the old data, and undo swaps them back", async () => {
        const notes = await restorable();
        const before = notes.content();

        expect((await restore(notes)).result).toMatchObject({ hearth: "restore", ok: true });
        expect(Object.keys(notes.content())).toEqual(["folder/more.md", "notes.md"]);
        expect(readFileSync(join(notes.files, "notes.md"), "utf8")).toBe("milk");
        // Kept data is never overwritten by a restore.
        expect((await restore(notes)).result?.message).toContain("hack/restore --undo");

        expect((await restore(notes, { ACTION: "undo" })).result).toMatchObject({ hearth: "undo", ok: true });
        expect(notes.content()).toEqual(before);
        expect((await restore(notes, { ACTION: "drop" })).result).toMatchObject({ hearth: "drop", ok: true });
        expect(notes.content()).toEqual(before);
        expect(readdirSync(notes.files)).not.toContain(".hearth-restore");
    });

    test("fetches while the service runs, and swaps later", async () => {
        const notes = await restorable();
        const before = notes.content();

        const fetched = await notes.run("restore", { ACTION: "copy" });
        expect((await restore(notes, { ACTION: "copy" })).result).toMatchObject({ hearth: "copy", ok: true });
        expect(notes.content()).toEqual(before);
        // The service restarts meanwhile, and its init container ignores the copy.
        expect((await notes.run("prepare")).code).toBe(0);
        expect(notes.content()).toEqual(before);
        // The service is stopped for the restore: an unreachable target must not keep it stopped.
        await server.stop();
        const swapped = await restore(notes, { COPY: fetched.result?.copies?.["main"] ?? "" });
        await server.start();
        expect(swapped.code).toBe(0);
        expect(readFileSync(join(notes.files, "notes.md"), "utf8")).toBe("milk");
    });

    test("restores a single file into a folder without overwriting any", async () => {
        const notes = await restorable();
        const env = { ACTION: "file", FILE: "folder/more.md", TO: "back" };

        expect((await restore(notes, env)).code).toBe(0);
        expect(readFileSync(join(notes.files, "back/folder/more.md"), "utf8")).toBe("butter");
        expect((await notes.run("restore", env)).result?.message).toContain("exists");
        expect((await notes.run("restore", { ...env, FILE: "../x", TO: "b" })).code).toBe(1);
        expect((await notes.run("restore", { ...env, FILE: "none.md", TO: "b" })).code).toBe(18);
    });

    test("leaves a disk unchanged that has no space for the copy", async () => {
        const notes = await restorable();
        const bin = join(notes.directory, "bin");
        mkdirSync(bin);
        writeFileSync(join(bin, "df"), "#!/bin/sh\necho 'disk 10 10 0 100% /volume'\n", { mode: 0o755 });
        notes.write("notes.md", "milk ".repeat(100_000));
        expect((await notes.backup()).code).toBe(0);

        const { code, result } = await restore(notes, { PATH: `${bin}:${notes.path}` });
        expect([code, result?.reason]).toEqual([12, "full"]);
        expect(result?.message).toContain("make room first");
        expect(readdirSync(join(notes.files, ".hearth-restore/new"))).toEqual([]);
    });

    test("leaves nothing on a disk that became full during the restore", async () => {
        const notes = await restorable();
        const bin = join(notes.directory, "bin");
        mkdirSync(bin);
        const full = 'case "$*" in restore*) echo "write: no space left on device" >&2; exit 1 ;; esac';
        writeFileSync(join(bin, "restic"), `#!/bin/sh\n${full}\nexec ${notes.restic} "$@"\n`, { mode: 0o755 });

        const { code, result } = await restore(notes, { PATH: `${bin}:${notes.path}` });
        expect([code, result?.message]).toEqual([
            12,
            expect.stringContaining("the disk of notes/notes-data became full"),
        ]);
        expect(readdirSync(join(notes.files, ".hearth-restore"))).not.toContain("new");
    });

    test("rejects an unknown copy", async () => {
        const notes = await restorable();

        expect((await restore(notes, { COPY: "00000000" })).result?.message).toContain("no copy of notes/notes-data");
    });
});

test("an emptied target is detected by the time at which its repository was created", async () => {
    const notes = volume();
    const made = async () => {
        // The first run creates a missing repository.
        await notes.run("repository");
        return (await notes.run("repository")).result?.since?.["main"];
    };
    const first = await made();
    expect(first).toMatch(/^20\d\d-.*Z$/);
    notes.write("notes.md", "milk");
    expect((await notes.backup()).result).toMatchObject({ ok: true });
    expect(await made()).toBe(first);

    rmSync(join(server.directory, "home"), { recursive: true });
    expect(await made()).not.toBe(first);
});

test("undo deletes a copy that was restored next to the data and never swapped in", async () => {
    const notes = volume();
    notes.write("notes.md", "milk");
    await notes.run("repository");
    await notes.backup();
    notes.write("notes.md", "bread");
    expect((await notes.run("restore", { ACTION: "copy" })).code).toBe(0);
    expect(readdirSync(join(notes.files, ".hearth-restore"))).toContain("new");

    const { code, result } = await notes.run("swap", { ACTION: "undo" });
    expect([code, result?.message]).toEqual([0, "the copy next to the data is deleted; the data was never replaced"]);
    expect(readdirSync(notes.files)).not.toContain(".hearth-restore");
    expect(readFileSync(join(notes.files, "notes.md"), "utf8")).toBe("bread");
    expect((await notes.run("swap", { ACTION: "undo" })).result).toMatchObject({ ok: false, reason: "none" });
});
