import { Failure, runMain } from "../lib/failure";
import { endGracefully } from "../lib/run";
import { completeTools, type Purpose } from "../toolchain/build";
import { toolsFor } from "../toolchain/tools";
import { installPlugins } from "./plugins/install";

/**
 * Commands that the arguments name, each as --for-<command>.
 *
 * @throws Failure for any other argument
 */
function purposesOf(args: readonly string[]): Purpose[] {
    const known = Object.keys(toolsFor) as Purpose[];
    return args.map((argument) => {
        const purpose = known.find((each) => argument === `--for-${each}`);
        if (purpose === undefined) {
            const options = known.map((each) => `--for-${each}`).join(", ");
            throw new Failure(`invalid option: got "${argument}", expected any of ${options}`, 2);
        }
        return purpose;
    });
}

// Everything that `npm start` and `npm test` need besides packages; toolchain/setup.sh starts it.
runMain("setup", async () => {
    endGracefully();
    await completeTools(purposesOf(process.argv.slice(2)));
    await installPlugins();
    return 0;
});
