import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { charts } from "./workspace";

const directory = join(__dirname, "golden");

function read(file: string): string {
    const path = join(directory, file);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** Charts whose rendering was reviewed: those with a line in pods.txt. */
export const reviewed: ReadonlySet<string> = new Set(
    [...read("pods.txt").matchAll(/^([^/\n]+)\//gm)].map(([, chart = ""]) => chart),
);

/** New services, and removed ones: neither turns a golden file red. */
const others = new Set([
    ...charts.filter((chart) => !reviewed.has(chart)),
    ...[...reviewed].filter((chart) => !charts.includes(chart)),
]);

const counts = (line: string) =>
    ![...line.matchAll(/(?:^|=> )([^/\s]+)\//g)].some(([, chart = ""]) => others.has(chart));

/** Name of a test of a golden file, with the command that writes it. */
export const goldenTest = (name: string) => `${name} (to accept a difference: UPDATE_GOLDEN=1 npm run test:charts)`;

/**
 * Expects lines to be those of a golden file. With `UPDATE_GOLDEN=1` it writes them instead, those of new services
 * included, which are reviewed from then on.
 *
 * @param lines each begins with `<chart>/`, and a connection has `=> <chart>/` as well
 */
export function expectGolden(file: string, lines: readonly string[]): void {
    if (process.env["UPDATE_GOLDEN"] === "1") {
        writeFileSync(join(directory, file), lines.map((line) => `${line}\n`).join(""));
    }

    expect(lines.filter(counts)).toEqual(read(file).split("\n").slice(0, -1).filter(counts));
}
