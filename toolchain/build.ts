import { join } from "node:path";
import { Failure } from "../lib/failure";
import { withLock } from "../lib/lock";
import { cacheDirectory } from "../lib/paths";
import { throwIfInterrupted } from "../lib/run";
import { build, checkDisk, isBuilt, takeFromPath } from "./go-build";
import { hasPostgresql, installPostgresql } from "./postgresql";
import { Progress } from "./progress";
import { downloadPulumi, hasPulumi, installBuiltPulumi, takePulumiFromPath } from "./pulumi-cli";
import { hasOfficialPlugin, pluginProgram } from "./pulumi-plugins";
import { hasRedis, installRedis } from "./redis";
import { type GoTool, goTools, kubernetesPlugin, podTools, pulumiTools, testTools, toolVersion } from "./tools";

type NamedTools = Readonly<Record<string, GoTool>>;

const isMissing = ([name, tool]: [string, GoTool]) => !isBuilt(name, tool);

/** @param forTests whether what only the tests need has to be there too */
function isComplete(tools: NamedTools, forTests: boolean): boolean {
    return hasPulumi() && hasRedis() && (!forTests || hasPostgresql()) && !Object.entries(tools).some(isMissing);
}

async function hasKubernetesPlugin(): Promise<boolean> {
    return isBuilt(pluginProgram("kubernetes"), kubernetesPlugin) || (await hasOfficialPlugin("kubernetes"));
}

/** Builds, downloads or installs whatever is missing. */
async function complete(tools: NamedTools, forTests: boolean): Promise<void> {
    if (!hasRedis()) {
        await new Progress(1).step("installing Redis", installRedis);
    }
    if (forTests && !hasPostgresql()) {
        await new Progress(1).step("installing PostgreSQL", installPostgresql);
    }
    const wanted = Object.entries(tools);
    const needsPulumi = !hasPulumi() && !(await takePulumiFromPath());
    if (needsPulumi && !(await new Progress(1).step("looking for Pulumi's own download", downloadPulumi))) {
        process.stderr.write("Pulumi's site cannot be reached from here: its CLI is built instead.\n");
        wanted.push(...Object.entries(pulumiTools));
    }
    if (!(await hasOfficialPlugin("kubernetes"))) {
        wanted.push([pluginProgram("kubernetes"), kubernetesPlugin]);
    }
    const missing: [string, GoTool][] = [];
    for (const [name, tool] of wanted.filter(isMissing)) {
        throwIfInterrupted();
        if (!(await takeFromPath(name, tool))) {
            missing.push([name, tool]);
        }
    }
    if (missing.length > 0) {
        checkDisk(missing.length / (Object.keys(tools).length + Object.keys(pulumiTools).length));
        process.stderr.write(
            `Building ${missing.length} tools once, into ${cacheDirectory}. All of them take 20 min.\n`,
        );
    }
    const progress = new Progress(missing.length);
    for (const [name, tool] of missing) {
        await progress.step(`building ${name} ${toolVersion(tool)}`, () => build(name, tool));
    }
    if (needsPulumi && !hasPulumi()) {
        installBuiltPulumi();
    }
}

/**
 * Builds, downloads or installs the tools that are missing.
 *
 * @param purpose `tests`: also the tools that only the tests need; `pods`: also those, and the programs of images
 */
export async function completeTools(purpose?: "tests" | "pods"): Promise<void> {
    const forTests = purpose !== undefined;
    const tools: NamedTools = {
        ...goTools,
        ...(forTests ? testTools : {}),
        ...(purpose === "pods" ? podTools : {}),
    };
    if (isComplete(tools, forTests) && (await hasKubernetesPlugin())) {
        return;
    }
    const report = ({ pid }: { pid: number }) =>
        process.stderr.write(`Another set-up (process ${pid}) is building the tools; waiting for it.\n`);
    await withLock(join(cacheDirectory, "lock"), report, () => complete(tools, forTests));
    if (!isComplete(tools, forTests)) {
        throw new Failure("a tool vanished while others were built: run `npm run setup` again");
    }
}
