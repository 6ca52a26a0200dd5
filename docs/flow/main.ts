import { readFileSync, writeFileSync } from "node:fs";
import { Failure, runMain } from "../../lib/failure";
import { drawFlow } from "./draw";
import { programGraph } from "./graph";

const file = "docs/flow.svg";

/** `npm run picture`: draws docs/flow.svg from the program itself; with --check, fails when it is out of date. */
async function main(): Promise<number> {
    const picture = await drawFlow(await programGraph());
    if (!process.argv.includes("--check")) {
        writeFileSync(file, picture);
    } else if (readFileSync(file, "utf8") !== picture) {
        throw new Failure(`${file} differs from the program: run \`npm run picture\``);
    }
    return 0;
}

runMain("picture", main);
