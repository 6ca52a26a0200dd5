import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CountingProxy, RestServer } from "./servers";
import { targetFolder, Volume } from "./volume";

// restic derives a key in each call, which takes a busy machine seconds.
jest.setTimeout(300_000);

const server = new RestServer();
const proxy = new CountingProxy();
/** Moments at which each action is killed. */
const moments = Array.from({ length: 10 }, (_, index) => index + 1);
let target: string;

beforeAll(async () => {
    await server.start();
    await proxy.start(server.port);
    target = targetFolder(server.backup({ target: `rest:http://127.0.0.1:${proxy.port}/home/` }));
});

afterAll(async () => {
    await proxy.stop();
    await server.remove();
});

/** A claim with copies: each of the first copies' files is in the last one, too. */
async function copied(name: string): Promise<Volume> {
    const volume = new Volume(target, { CLAIM: `killed/${name}` });
    for (const part of Array.from({ length: 6 }, (_, index) => index)) {
        volume.write(`folder-${part}/file`, `${name} ${part} `.repeat(20_000));
    }
    await volume.run("repository");
    expect((await volume.backup()).result).toMatchObject({ ok: true });
    return volume;
}

/** Requests that an action makes when nothing kills it, from a run of its like. */
async function requestsOf(run: () => Promise<unknown>): Promise<number> {
    const before = proxy.requests;
    await run();
    return proxy.requests - before;
}

/** Kills a run at a moment, as a number of requests from its begin. */
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

        // The copy may be whole where it was killed after its last write.
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
    const change = async (number: number) => {
        volume.write("folder-0/file", `${number} `.repeat(60_000));
        expect((await volume.backup()).result).toMatchObject({ ok: true });
    };
    await change(0);
    const whole = await requestsOf(() => volume.run("prune", keep));
    for (const moment of moments) {
        await change(moment);
        expect(await killedAt(volume, Math.ceil((whole * moment) / 11), () => volume.run("prune", keep))).toBe(true);
        expect(await newest(volume)).toEqual(volume.content());
    }
    expect((await volume.run("prune", keep)).result).toMatchObject({ ok: true });
    expect(await newest(volume)).toEqual(volume.content());
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
        // Nothing of the service's is there until all is.
        expect([{}, volume.content()]).toContainEqual(fresh.content());

        expect((await fresh.run("prepare")).code).toBe(0);
        expect(fresh.content()).toEqual(volume.content());
        fresh.remove();
    }
    volume.remove();
}, 1_800_000);

describe("a swap killed before any of its renames", () => {
    /** Runs an action with an `mv` that kills the script instead of its number-th rename. */
    async function killedAtRename(volume: Volume, number: number, action: string, env: Record<string, string> = {}) {
        const bin = join(volume.directory, "bin");
        mkdirSync(bin, { recursive: true });
        writeFileSync(join(volume.directory, "renames"), "");
        writeFileSync(
            join(bin, "mv"),
            `#!/bin/sh\nprintf x >> ${volume.directory}/renames\n` +
                `[ "$(wc -c < ${volume.directory}/renames)" -lt ${number} ] || { kill -9 "$PPID"; exit 1; }\nexec /bin/mv "$@"\n`,
        );
        chmodSync(join(bin, "mv"), 0o755);
        const { code } = await volume.run(action, { ...env, PATH: `${bin}:${volume.path}` });
        return code === null;
    }

    let prepared: Volume;
    let copy: object;
    let before: object;

    beforeAll(async () => {
        prepared = await copied("swap");
        copy = prepared.content();
        prepared.write("folder-0/file", "spoiled");
        prepared.write("later", "later");
        before = prepared.content();
        expect((await prepared.run("restore")).code).toBe(0);
    });

    afterAll(() => prepared.remove());

    test("resumes with the next call, or is undone: the data is the old or the new, and no file is lost", async () => {
        for (let number = 1, killed = true; killed; number++) {
            const volume = prepared.clone();
            killed = await killedAtRename(volume, number, "swap");
            // The service's own init container ends it, too.
            const next = await volume.run(number % 2 === 0 || number === 1 ? "swap" : "prepare");
            expect([next.code, killed]).not.toEqual([1, true]);
            expect(volume.content()).toEqual(copy);
            expect((await volume.run("swap", { ACTION: "undo" })).code).toBe(0);
            expect(volume.content()).toEqual(before);
            volume.remove();
        }
    }, 1_800_000);

    test("is undone from the middle, and a killed undo resumes", async () => {
        for (let number = 2, killed = true; killed; number++) {
            const volume = prepared.clone();
            killed = await killedAtRename(volume, number, "swap");
            if (existsSync(join(volume.files, ".hearth-restore/old"))) {
                await killedAtRename(volume, number, "swap", { ACTION: "undo" });
                const again = await volume.run(number % 2 === 0 ? "swap" : "prepare", { ACTION: "undo" });
                expect([0, 18]).toContain(again.code);
                expect(volume.content()).toEqual(before);
            }
            volume.remove();
        }
    }, 1_800_000);

    test("does not overwrite a file that appeared in between", async () => {
        const volume = prepared.clone();
        await killedAtRename(volume, 6, "swap");
        volume.write("folder-0/file", "written by somebody meanwhile");
        const { code, output } = await volume.run("swap");

        expect(readFileSync(join(volume.files, "folder-0/file"), "utf8")).toBe(
            code === 0 ? "" : "written by somebody meanwhile",
        );
        expect(output).toContain("something wrote to the volume meanwhile");
        volume.remove();
    });
});
