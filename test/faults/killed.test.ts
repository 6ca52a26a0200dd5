import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { Home } from "../sandbox/home";
import { type Cut, declaredObjects, secretValues, startAndCut } from "../sandbox/killed-run";

/** How many moments of the run are tried; HEARTH_FAULTS takes fewer or more. */
const tries = Number(process.env["HEARTH_FAULTS"] ?? 20);

/** Two cores and a fresh cluster, twice: minutes, in milliseconds. */
const limit = 15 * 60_000;

const cuts: readonly Pick<Cut, "signal" | "victim">[] = [
    { signal: "SIGKILL", victim: "its Pulumi" },
    { signal: "SIGINT", victim: "npm start" },
    { signal: "SIGKILL", victim: "npm start" },
    { signal: "SIGTERM", victim: "npm start" },
];

/** What came of one try, for bench/results. */
interface Try extends Pick<Cut, "signal" | "victim"> {
    /** How much of an undisturbed run's output there was, in percent. */
    readonly moment: number;
    readonly survived: boolean;
    /** Seconds that `npm start` took to finish afterwards. */
    readonly seconds: number;
}

const lines = (output: string) => output.split("\n").length;

let home: Home;
let undisturbed: { readonly lines: number; readonly seconds: number; readonly objects: readonly string[] };
const results: Try[] = [];

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "gitops", "qbittorrent");
    await home.commit("a small home");
    const start = Date.now();
    const { code, output } = await home.start();
    expect({ code, output }).toMatchObject({ code: 0 });
    undisturbed = {
        lines: lines(output),
        seconds: (Date.now() - start) / 1_000,
        objects: await declaredObjects(home),
    };
}, limit);

afterAll(async () => {
    await home.remove();
    const folder = resolve(__dirname, "../../bench/results");
    mkdirSync(folder, { recursive: true });
    const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
    const summary = {
        date: new Date().toISOString().slice(0, 10),
        machine,
        tries: results.length,
        survived: results.filter(({ survived }) => survived).length,
        undisturbedSeconds: undisturbed.seconds,
        results,
    };
    writeFileSync(join(folder, "faults.json"), `${JSON.stringify(summary, null, 2)}\n`);
}, limit);

const moments = Array.from({ length: tries }, (_, index) => Math.round((100 * (index + 0.5)) / tries)).flatMap(
    (moment, index) => cuts.slice(index % cuts.length, (index % cuts.length) + 1).map((cut) => ({ moment, ...cut })),
);

test.each(moments)(
    "$signal to $victim, $moment % into a first run: the next run finishes, and nothing is lost or there twice",
    async ({ moment, signal, victim }) => {
        await home.stop("--delete");
        const { hit } = await startAndCut(home, {
            signal,
            victim,
            // Before Pulumi runs there is none to kill.
            when: (text) =>
                lines(text) >= (undisturbed.lines * moment) / 100 && (victim === "npm start" || runsPulumi(text)),
        });
        expect(hit).toBe(true);
        const before = await secretValues(home);

        const start = Date.now();
        const { code, output } = await home.start();
        const seconds = (Date.now() - start) / 1_000;
        const after = code === 0 ? await secretValues(home) : {};
        const objects = code === 0 ? await declaredObjects(home) : [];
        const survived = code === 0 && JSON.stringify(objects) === JSON.stringify(undisturbed.objects);
        results.push({ moment, signal, victim, survived, seconds });

        expect(code === 0 ? "" : output).toBe("");
        expect(after).toMatchObject(before);
        expect(objects).toEqual(undisturbed.objects);
        const state = readFileSync(join(home.root, ".state/.pulumi/stacks/hearth/sandbox.json"), "utf8");
        expect(state).not.toContain("pending_operations");
    },
    limit,
);

/** Whether Pulumi has printed something. */
function runsPulumi(output: string): boolean {
    return /^@ updating/m.test(output);
}
