import { describe, Failure, runMain } from "../lib/failure";
import { root } from "../lib/root";
import { endGracefully } from "../lib/run";
import { exitCodes } from "./verb";
import { isVerbName, verbs } from "./verbs";

const [name = "", ...args] = process.argv.slice(2);

runMain(`hack/${name}`, async () => {
    endGracefully();
    // The reader has closed the pipe early, as `head` does.
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "EPIPE") {
            process.exit(exitCodes.done);
        }
        process.stderr.write(`hack/${name}: standard output: ${describe(error)}\n`);
        process.exit(exitCodes.failed);
    });
    // This error cannot be reported.
    process.stderr.on("error", () => process.exit(exitCodes.failed));
    if (!isVerbName(name)) {
        const names = Object.keys(verbs).map((verb) => `hack/${verb}`);
        throw new Failure(`name a verb: ${names.join(", ")}`, exitCodes.usage);
    }
    // Verbs read files of the checkout, wherever they are called from.
    process.chdir(root);
    return verbs[name]().verb(name, args);
});
