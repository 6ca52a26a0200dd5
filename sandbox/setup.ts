import { runMain } from "../lib/failure";
import { endGracefully } from "../lib/run";
import { completeTools, type Purpose } from "../toolchain/build";
import { toolsFor } from "../toolchain/tools";
import { installPlugins } from "./plugins/install";

// Everything that `npm start` and `npm test` need besides packages; toolchain/setup.sh starts it.
runMain("setup", async () => {
    endGracefully();
    await completeTools((Object.keys(toolsFor) as Purpose[]).find((each) => process.argv.includes(`--for-${each}`)));
    await installPlugins();
    return 0;
});
