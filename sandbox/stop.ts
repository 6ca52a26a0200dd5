import { parseArgs } from "node:util";
import { Failure, runMain } from "../lib/failure";
import { root } from "../lib/root";
import { deleteSandbox, exclusively, stopSandbox } from "./sandbox";

function readArguments(): { remove: boolean } {
    try {
        const { values } = parseArgs({ options: { delete: { type: "boolean", default: false } } });
        return { remove: values.delete };
    } catch (error) {
        const what = error instanceof Error ? error.message : String(error);
        throw new Failure(`${what}\nUsage: npm stop [-- --delete]`);
    }
}

/** `npm stop`: stops the processes of `npm start`; with --delete, deletes the cluster and its stack's state too. */
async function main(): Promise<number> {
    const { remove } = readArguments();
    return exclusively(root, async () => {
        const ended = await stopSandbox(root);
        const what = ended === 0 ? "The sandbox is not running" : `Stopped the sandbox's ${ended} processes`;
        if (remove) {
            await deleteSandbox(root);
            process.stdout.write(`${what}; its cluster and the state of its stack are deleted.\n`);
        } else {
            process.stdout.write(
                `${what}; \`npm start\` continues where it was, \`npm stop -- --delete\` deletes it.\n`,
            );
        }
        return 0;
    });
}

runMain("stop", main);
