import { Failure, runMain } from "../lib/failure";
import { endGracefully } from "../lib/run";
import { build, buildGroups, deleteGoCaches, isBuilt, takeFromPath } from "./go-build";
import { type GoTool, goTools } from "./tools";

/** Builds the tools in the arguments, for a machine without a sandbox: a runner of workflows. */
runMain("setup", async () => {
    endGracefully();
    const known: Readonly<Record<string, GoTool>> = goTools;
    const missing: [string, GoTool][] = [];
    for (const name of process.argv.slice(2)) {
        const tool = known[name];
        if (tool === undefined) {
            throw new Failure(`unknown tool "${name}": expected one of ${Object.keys(known).join(", ")}`, 2);
        }
        if (!isBuilt(name, tool) && !(await takeFromPath(name, tool))) {
            missing.push([name, tool]);
        }
    }
    for (const group of buildGroups(missing)) {
        await build(group);
    }
    await deleteGoCaches();
    return 0;
});
