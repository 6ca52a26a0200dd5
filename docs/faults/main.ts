import { readFileSync, writeFileSync } from "node:fs";
import { Failure, runMain } from "../../lib/failure";
import { readResults } from "../../test/faults/results";
import { faultTables } from "./table";

const file = "docs/faults.md";

/**
 * `npx tsx docs/faults/main.ts`: writes the tables of docs/faults.md, which are all that comes after its introduction,
 * from bench/results/faults.json; with --check, fails when they are out of date.
 */
async function main(): Promise<number> {
    const results = readResults();
    const before = readFileSync(file, "utf8");
    const introduction = before.split(/^## /m, 1)[0] ?? "";
    const summary = `${results.survived} of ${results.tries} held, on ${results.machine}.`;
    const after = introduction.replace(/^\d+ of \d+ held, on .*\.$/m, summary) + faultTables(results);
    if (!process.argv.includes("--check")) {
        writeFileSync(file, after);
    } else if (after !== before) {
        throw new Failure(`${file} differs from bench/results/faults.json: run \`npx tsx docs/faults/main.ts\``);
    }
    return 0;
}

runMain("faults", main);
