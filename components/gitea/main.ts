import { text } from "node:stream/consumers";
import { type Declaration, declare } from "./declare";

/** Declares in Gitea what standard input says, as JSON: nothing of it may stand in arguments or environment. */
async function main(): Promise<void> {
    const declaration: Declaration = JSON.parse(await text(process.stdin));
    await declare(declaration);
}

main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
});
