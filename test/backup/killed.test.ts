import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../lib/root";
import { tool } from "../../toolchain/tools";
import { CountingProxy, RestServer } from "./servers";
import { targetFolder, Volume } from "./volume";

// restic derives a key in each call, which takes a busy machine seconds.
jest.setTimeout(300_000);

const server = new RestServer();
const proxy = new CountingProxy();
/** Moments at which each action is killed. */
const moments = Array.from({ length: 10 }, (_, index) => index + 1);
let target: string;
/** The tools without `sync`, which takes seconds on a busy disk: a killed script is not a power cut. */
const programs = mkdtempSync(join(tmpdir(), "hearth-programs-"));

beforeAll(async () => {
    writeFileSync(join(programs, "sync"), "#!/bin/sh\n", { mode: 0o755 });
    symlinkSync(tool("restic"), join(programs, "restic"));
    await server.start();
    await proxy.start(server.port);
    target = targetFolder(server.backup({ target: `rest:http://127.0.0.1:${proxy.port}/home/` }));
});

afterAll(async () => {
    await proxy.stop();
    await server.remove();
    rmSync(programs, { recursive: true });
});

/** A claim with copies: the last one has all files of the first. */
async function copied(name: string): Promise<Volume> {
    const volume = new Volume(target, { CLAIM: `killed/${name}`, PATH: `${programs}:${process.env["PATH"]}` });
    for (const part of Array.from({ length: 6 }, (_, index) => index)) {
        volume.write(`folder-${part}/file`, `${name} ${part} `.repeat(20_000));
    }
    await volume.run("repository");
    expect((await volume.backup()).result).toMatchObject({ ok: true });
    return volume;
}

/** Number of requests of an action that is not killed, from a similar run. */
async function requestsOf(run: () => Promise<unknown>): Promise<number> {
    const before = proxy.requests;
    await run();
    return proxy.requests - before;
}

/** Kills a run after a number of requests. */
async function killedAt(volume: Volume, number: number, run: () => Promise<{ code: number | null }>): Promise<boolean> {
    const first = proxy.requests;
    proxy.onRequest = (count) => {
        if (count - first >= number) {
            volume.kill();
        }
    };
    const { code } = await run();
    proxy.onRequest = () => undefined;
    return code === null;
}

async function newest(volume: Volume): Promise<Record<string, string>> {
    const fresh = volume.replacement();
    expect((await fresh.run("prepare")).code).toBe(0);
    const content = fresh.content();
    fresh.remove();
    return content;
}

test("a copy killed at any of ten moments is not listed: earlier copies stay, and the next run succeeds", async () => {
    const volume = await copied("backup");
    volume.write("folder-9/file", "first ".repeat(50_000));
    const whole = await requestsOf(() => volume.backup());
    let before = volume.content();
    for (const moment of moments) {
        volume.write(`folder-${10 + moment}/file`, `${moment} `.repeat(50_000));
        expect(await killedAt(volume, Math.ceil((whole * moment) / 11), () => volume.backup())).toBe(true);

        // A copy that was killed after its last write may be complete.
        const after = await newest(volume);
        expect([before, volume.content()]).toContainEqual(after);
        expect((await volume.backup()).result).toMatchObject({ ok: true });
        before = volume.content();
    }
    expect(await newest(volume)).toEqual(before);
    volume.remove();
}, 1_800_000);

test("a prune killed at any of ten moments loses no copy, and the next one completes", async () => {
    const volume = await copied("prune");
    const keep = { KEEP_DAILY: "1", KEEP_WEEKLY: "0", KEEP_MONTHLY: "0" };
    let changes = 0;
    const change = async () => {
        volume.write("folder-0/file", `${++changes} `.repeat(60_000));
        expect((await volume.backup()).result).toMatchObject({ ok: true });
    };
    await change();
    const whole = await requestsOf(() => volume.run("prune", keep));
    for (const moment of moments) {
        // A prune makes a few requests more or fewer than another one: it may be done before the last moments.
        let isKilled = false;
        for (let number = Math.ceil((whole * moment) / 11); !isKilled && number > 0; number--) {
            await change();
            isKilled = await killedAt(volume, number, () => volume.run("prune", keep));
        }
        expect(isKilled).toBe(true);
        expect(await newest(volume)).toEqual(volume.content());
        // Leaves the state in which the measured run started.
        const next = await volume.run("prune", keep);
        expect([moment, next.output, next.result?.ok]).toEqual([moment, next.output, true]);
        expect(await newest(volume)).toEqual(volume.content());
    }
    volume.remove();
}, 1_800_000);

test("a restore before start killed at any of ten moments resumes, and the service never starts on partial data", async () => {
    const volume = await copied("prepare");
    const whole = await requestsOf(async () => {
        const like = volume.replacement();
        await like.run("prepare");
        like.remove();
    });
    for (const moment of moments) {
        const fresh = volume.replacement();
        expect(await killedAt(fresh, Math.ceil((whole * moment) / 11), () => fresh.run("prepare"))).toBe(true);
        // The service's files appear all at once.
        expect([{}, volume.content()]).toContainEqual(fresh.content());

        expect((await fresh.run("prepare")).code).toBe(0);
        expect(fresh.content()).toEqual(volume.content());
        fresh.remove();
    }
    volume.remove();
}, 1_800_000);

describe("a script killed before any of its changes", () => {
    /** Runs an action in Bash, which kills itself instead of the number-th command that changes something. */
    async function killedAtCommand(volume: Volume, number: number, action: string, env: Record<string, string> = {}) {
        const script = join(root, "charts/common/files/backup.sh");
        const isChange = "[[ $BASH_COMMAND =~ ^(mv|rm|rmdir|mkdir|printf) ]]";
        const kill = `n=0; set -T; trap '! ${isChange} || [ $((n += 1)) -lt ${number} ] || kill -9 $$' DEBUG; . ${script}`;
        const { code } = await volume.command(["bash", "-c", kill, "sh", action], env);
        return code === null;
    }

    let source: Volume;
    let prepared: Volume;
    let copy: object;
    let before: object;

    beforeAll(async () => {
        source = await copied("swap");
        copy = source.content();
        prepared = source.clone();
        prepared.write("folder-0/file", "spoiled");
        prepared.write("later", "later");
        before = prepared.content();
        expect((await prepared.run("restore")).code).toBe(0);
    });

    afterAll(() => {
        source.remove();
        prepared.remove();
    });

    test("resumes an exchange with the next call, and undoes it: the data is the old or the new, and no file is lost", async () => {
        for (let number = 1, killed = true; killed; number++) {
            const volume = prepared.clone();
            killed = await killedAtCommand(volume, number, "swap");
            // The service's own init container also completes it.
            const next = await volume.run(number % 2 === 0 || !isExchanging(volume) ? "swap" : "prepare");
            expect([number, next.result]).toEqual([number, expect.objectContaining({ ok: killed })]);
            expect(volume.content()).toEqual(copy);
            expect((await volume.run("swap", { ACTION: "undo" })).code).toBe(0);
            expect(volume.content()).toEqual(before);
            volume.remove();
        }
    }, 1_800_000);

    test("resumes an undo, from the middle or the end of an exchange", async () => {
        const half = prepared.clone();
        for (let number = 1; !existsSync(join(half.files, ".hearth-restore/old/later")); number++) {
            await killedAtCommand(half, number, "swap");
        }
        const whole = prepared.clone();
        expect((await whole.run("swap")).code).toBe(0);
        for (const exchanged of [half, whole]) {
            for (let number = 1, killed = true; killed; number++) {
                const volume = exchanged.clone();
                killed = await killedAtCommand(volume, number, "swap", { ACTION: "undo" });
                const prepares = existsSync(join(volume.files, ".hearth-restore/undoing")) && number % 2 === 0;
                const next = await volume.run(prepares ? "prepare" : "swap", { ACTION: "undo" });
                // After a completed undo, there is nothing to undo.
                expect([number, [0, 18]]).toEqual([number, expect.arrayContaining([next.code])]);
                expect(volume.content()).toEqual(before);
                // Leftovers do not block the service.
                expect((await volume.run("prepare")).code).toBe(0);
                expect(volume.content()).toEqual(before);
                volume.remove();
            }
            exchanged.remove();
        }
    }, 1_800_000);

    test("resumes the restore before a service starts, and keeps data that was written in between", async () => {
        const loads = { LOADS: "yes" };
        const fetched = source.replacement();
        expect((await fetched.run("prepare", loads)).code).toBe(0);
        for (let number = 1, killed = true; killed; number++) {
            const volume = fetched.clone();
            killed = await killedAtCommand(volume, number, "start");
            for (const action of ["prepare", "start"]) {
                expect([number, (await volume.run(action, loads)).result?.ok]).toEqual([number, true]);
            }
            expect(volume.content()).toEqual(copy);
            volume.remove();
        }
        fetched.write("folder-0/meanwhile", "written during the restore");
        expect((await fetched.run("start")).code).toBe(0);
        expect(fetched.content()).toEqual(copy);
        expect(existsSync(join(fetched.files, ".hearth-restore/old/folder-0/meanwhile"))).toBe(true);
        fetched.remove();
    }, 1_800_000);

    test("does not overwrite a file that appeared in between", async () => {
        const volume = prepared.clone();
        for (let number = 1; !existsSync(join(volume.files, ".hearth-restore/old/folder-0")); number++) {
            await killedAtCommand(volume, number, "swap");
        }
        volume.write("folder-0/file", "written by somebody meanwhile");
        const { code, output } = await volume.run("swap");

        expect(code).toBe(1);
        expect(readFileSync(join(volume.files, "folder-0/file"), "utf8")).toBe("written by somebody meanwhile");
        expect(output).toContain("a program wrote to the volume meanwhile");
        volume.remove();
    });
});

/** Reports whether an exchange is incomplete. */
function isExchanging({ files }: Volume): boolean {
    return existsSync(join(files, ".hearth-restore/swapping"));
}
