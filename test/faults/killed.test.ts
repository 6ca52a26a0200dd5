import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Home } from "../sandbox/home";
import { type Cut, declaredObjects, secretValues, startAndCut } from "../sandbox/killed-run";
import { fault, limit } from "./fault";
import { smallHome, succeeded } from "./small-home";

/** Number of moments, spread evenly over a first run; HEARTH_FAULTS overrides it. */
const tries = Number(process.env["HEARTH_FAULTS"] ?? 20);

const cuts: readonly Pick<Cut, "signal" | "victim">[] = [
    { signal: "SIGKILL", victim: "its Pulumi" },
    { signal: "SIGINT", victim: "npm start" },
    { signal: "SIGKILL", victim: "npm start" },
    { signal: "SIGTERM", victim: "npm start" },
];

const lines = (output: string) => output.split("\n").length;

/** Reports whether Pulumi has printed something. */
const runsPulumi = (output: string) => /^@ updating/m.test(output);

/** Reports whether Pulumi has printed everything: a run may have fewer lines than another. */
const isOver = (output: string) => /^Duration: /m.test(output);

let home: Home;
let undisturbed: { readonly lines: number; readonly objects: readonly string[] };

beforeAll(async () => {
    home = await smallHome();
    const output = succeeded(await home.start());
    undisturbed = { lines: lines(output), objects: await declaredObjects(home) };
}, limit);

afterAll(async () => home?.remove(), limit);

const disturbed = Array.from({ length: tries }).flatMap((_, at) =>
    cuts.slice(at % cuts.length, (at % cuts.length) + 1),
);

for (const [index, { signal, victim }] of disturbed.entries()) {
    const moment = Math.round((100 * (index + 0.5)) / tries);
    fault(
        {
            broken: `${signal} to ${victim}`,
            when: `${moment} % into a first run`,
            holds: "the next run finishes, and nothing is lost or duplicated",
        },
        async (mended) => {
            await home.stop("--delete");
            await startAndCut(home, {
                signal,
                victim,
                // Pulumi can only be killed while it runs.
                when: (text) => {
                    const isDue = lines(text) >= (undisturbed.lines * moment) / 100;
                    return victim === "npm start" ? isDue || isOver(text) : isDue && runsPulumi(text);
                },
            });
            const before = await secretValues(home);
            mended();

            succeeded(await home.start());

            expect(await secretValues(home)).toMatchObject(before);
            expect(await declaredObjects(home)).toEqual(undisturbed.objects);
            const state = readFileSync(join(home.root, ".state/.pulumi/stacks/hearth/sandbox.json"), "utf8");
            expect(state).not.toContain("pending_operations");
        },
    );
}
