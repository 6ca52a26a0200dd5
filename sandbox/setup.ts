import { runMain } from "../lib/failure";
import { endGracefully } from "../lib/run";
import { completeTools } from "../toolchain/build";
import { installPlugins } from "./plugins/install";

// Everything that `npm start` and `npm test` need besides packages; toolchain/setup.sh starts it.
runMain("setup", async () => {
    endGracefully();
    await completeTools((["tests", "pods"] as const).find((each) => process.argv.includes(`--for-${each}`)));
    await installPlugins();
    return 0;
});
