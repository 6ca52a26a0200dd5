import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

/** The folder of the results that are kept. */
export const results = join(__dirname, "results");

/** The machine of a measurement, for readers of its figures. */
export function machine(): { readonly date: string; readonly machine: string; readonly node: string } {
    return {
        date: new Date().toISOString().slice(0, 10),
        machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
        node: process.version,
    };
}

/**
 * Measures homes of as many Applications as the command line says, and writes each result as soon as it is complete.
 *
 * @param name of the file in bench/results, without its ending
 * @param usual the numbers of Applications if the command line has none
 * @returns what the file holds: for numbers that were not measured now, the results of an earlier run
 */
export async function measureHomes<T extends { readonly applications: number }>(
    name: string,
    usual: readonly number[],
    measured: (count: number) => Promise<T>,
): Promise<readonly T[]> {
    const file = join(results, `${name}.json`);
    const former: { measured: T[] } = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { measured: [] };
    let all = former.measured;
    for (const count of process.argv.length > 2 ? process.argv.slice(2).map(Number) : usual) {
        const result = await measured(count);
        all = [...all.filter(({ applications }) => applications !== count), result];
        all.sort((a, b) => a.applications - b.applications);
        writeFileSync(file, `${JSON.stringify({ ...machine(), measured: all }, null, 2)}\n`);
    }
    return all;
}
