import {
    backupCells,
    backupRows,
    checkRepository,
    copiesIn,
    emptiedTarget,
    formatBytes,
    resultOf,
    worstBackup,
} from "../../../../hack/backups/results";
import { cronJob, ended } from "./objects";

const now = Date.parse("2026-11-30T08:00:00Z");
const lastNight = { lastSuccessfulTime: "2026-11-30T03:12:09Z" };

test("the table has a row for each claim: time and size of its copy, time and duration of its last passed drill", () => {
    const rows = backupRows(
        [
            cronJob("backup", "vaultwarden-data", lastNight),
            cronJob("drill", "vaultwarden-data", { lastSuccessfulTime: "2026-11-02T05:00:00Z" }),
            cronJob("restore", "vaultwarden-data"),
            cronJob("backup", "actual-data", {}, "actual"),
            cronJob("repository", "", lastNight, "backup"),
        ],
        [
            ended("backup", "vaultwarden-data", { time: "2026-11-28T03:12:09Z", bytes: 1_000 }),
            ended("backup", "vaultwarden-data", { time: "2026-11-30T03:12:09Z", bytes: 2_500_000 }),
            ended("drill", "vaultwarden-data", { time: "2026-11-02T05:00:00Z", seconds: 12.4 }),
        ],
    );

    expect(rows.map(({ claim }) => claim)).toEqual(["actual/actual-data", "vaultwarden/vaultwarden-data"]);
    expect(rows[1]).toMatchObject({ bytes: 2_500_000, copied: "2026-11-30T03:12:09Z", seconds: 12.4 });
    expect(rows[1]?.problem).toBeUndefined();
    expect(backupCells(rows).rows[0]).toEqual(["actual", "actual-data", "never", "", "never", ""]);
    expect(backupCells(rows).rows[1]).toMatchObject({ 0: "vaultwarden", 3: "2.5 MB", 5: "12" });
});

test("the failure of a copy or drill is reported in its own words, until a later one succeeds", () => {
    const copies = [cronJob("backup", "vaultwarden-data", lastNight), cronJob("drill", "vaultwarden-data", lastNight)];
    const failed = ended("drill", "vaultwarden-data", {
        ok: false,
        reason: "damaged",
        message: "db.sqlite3 of the copy is damaged",
    });
    const later = ended("drill", "vaultwarden-data", { time: "2026-11-30T05:00:00Z" });

    expect(worstBackup(backupRows(copies, [failed]), now)).toEqual({
        what: "vaultwarden/vaultwarden-data: drill: db.sqlite3 of the copy is damaged",
        command: "hack/backup vaultwarden",
    });
    expect(worstBackup(backupRows(copies, [failed, later]), now)).toBeUndefined();
});

test("a copy is late after two days, not after one missed night", () => {
    const rows = (copied: string) =>
        backupRows([cronJob("backup", "vaultwarden-data", { lastSuccessfulTime: copied })], []);

    expect(worstBackup(rows("2026-11-28T09:00:00Z"), now)).toBeUndefined();
    expect(worstBackup(rows("2026-11-28T07:00:00Z"), now)?.what).toContain("The last copy of vaultwarden/");
});

test("the result is read from a container or a failed init container, and not from another program's output", () => {
    const message = JSON.stringify({ hearth: "restore", time: "2026-11-30T03:12:09Z", ok: false, reason: "password" });
    const state = { terminated: { exitCode: 11, message } };
    const metadata = { name: "x", namespace: "y" };

    expect(
        resultOf({
            metadata,
            status: {
                containerStatuses: [{ name: "swap", state: { waiting: { reason: "PodInitializing" } } }],
                initContainerStatuses: [{ name: "restore", state }],
            },
        }),
    ).toMatchObject({ reason: "password" });
    for (const words of ["", "panic: {", '{"level":"error"}']) {
        const terminated = { exitCode: 1, message: words };
        expect(
            resultOf({ metadata, status: { containerStatuses: [{ name: "x", state: { terminated } }] } }),
        ).toBeUndefined();
    }
});

test("the list of copies is parsed from a log with other lines, newest first", () => {
    const copy = (time: string) => ({ claim: "a/b", copy: "1a2b3c4d", time, bytes: 1, files: 1, target: "main" });
    const log = [
        "repository opened",
        JSON.stringify(copy("2026-11-28T03:00:00Z")),
        JSON.stringify(copy("2026-11-29T04:00:00+02:00")),
        JSON.stringify({ hearth: "list", time: "2026-11-30T03:00:00Z", ok: true }),
    ].join("\n");

    expect(copiesIn(log).map(({ time }) => time)).toEqual(["2026-11-29T04:00:00+02:00", "2026-11-28T03:00:00Z"]);
});

test.each([
    [{}, [], "has not been opened yet"],
    [{ lastSuccessfulTime: "2026-11-30T05:00:00Z" }, [], "last opened"],
    [
        { lastSuccessfulTime: "2026-11-30T07:30:00Z" },
        [ended("repository", "", { ok: false, message: "the password does not open the repository" }, "backup")],
        "the password does not open the repository",
    ],
])("doctor reports why the target is not usable: %j", (status, pods, said) => {
    expect(() => checkRepository([cronJob("repository", "", status, "backup")], pods, now)).toThrow(said);
});

test("doctor reports that the target was opened within two hours, or that nothing is deployed yet", () => {
    const status = { lastSuccessfulTime: "2026-11-30T07:30:00Z" };

    expect(checkRepository([cronJob("repository", "", status, "backup")], [], now)).toContain("accepts the password");
    expect(() => checkRepository([], [], now)).toThrow("run `npx pulumi up`");
});

test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 kB"],
    [123_456, "123 kB"],
    [2_500_000_000, "2.5 GB"],
    [7e15, "7000 TB"],
])("%d bytes are %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
});

test("a repository that is newer than a copy or a drill is reported as emptied, by target, for a week", () => {
    const opened = (since: Record<string, string>) => ended("repository", "", { since });
    const copy = ended("backup", "vaultwarden-data", {
        time: "2026-11-30T03:12:09Z",
        copies: { main: "1", second: "2" },
        claim: "vaultwarden/vaultwarden-data",
    });
    const drill = cronJob("drill", "vaultwarden-data", { lastSuccessfulTime: "2026-11-02T05:00:00Z" });
    const [before, after] = ["2026-11-01T00:00:00Z", "2026-11-30T07:00:00Z"];
    const what = (...args: Parameters<typeof emptiedTarget>) => emptiedTarget(...args)?.what;

    expect(what([drill], [opened({ main: before, second: before }), copy], now)).toBeUndefined();
    expect(what([], [opened({ main: before, second: after }), copy], now)).toMatch(
        /^The second target has lost its copies: .* vaultwarden\/vaultwarden-data was copied/,
    );
    expect(what([drill], [opened({ main: after })], now)).toMatch(/^The main target has lost its copies/);
    // A second target that was added.
    expect(what([drill], [opened({ main: before, second: after })], now)).toBeUndefined();
    expect(what([drill], [opened({ main: after })], now + 8 * 86_400_000)).toBeUndefined();
});
