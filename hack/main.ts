import { resolve } from "node:path";
import { Failure, runMain } from "../lib/failure";
import { endGracefully } from "../lib/run";
import { exitCodes, type Verb, verbNames } from "./verb";

const [name = "", ...args] = process.argv.slice(2);

runMain(`hack/${name}`, async () => {
    endGracefully();
    if (!verbNames().includes(name)) {
        const names = verbNames().map((verb) => `hack/${verb}`);
        throw new Failure(`say what to do: ${names.join(", ")}`, exitCodes.usage);
    }
    // What the verbs read is in the checkout, wherever they are called from.
    process.chdir(resolve(__dirname, ".."));
    // Loaded when it is called: what one verb needs is no burden for the others.
    const { verb }: { verb: Verb } = require(`./verbs/${name}`);
    return verb(name, args);
});
