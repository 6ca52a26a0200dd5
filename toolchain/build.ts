import { join } from "node:path";
import { installPlugins } from "../sandbox/plugins/install";
import { Failure, runMain } from "./failure";
import { build, checkDisk, isBuilt, takeFromPath } from "./go-build";
import { withLock } from "./lock";
import { cacheDirectory } from "./paths";
import { Progress } from "./progress";
import { downloadPulumi, hasPulumi, installBuiltPulumi, takePulumiFromPath } from "./pulumi-cli";
import { hasRedis, installRedis } from "./redis";
import { endGracefully, throwIfInterrupted } from "./run";
import { type GoTool, goTools, pulumiTools, toolVersion } from "./tools";

const isMissing = ([name, tool]: [string, GoTool]) => !isBuilt(name, tool);

function isComplete(): boolean {
    return hasPulumi() && hasRedis() && !Object.entries(goTools).some(isMissing);
}

/** Builds, downloads or installs whatever is missing. */
async function complete(): Promise<void> {
    if (!hasRedis()) {
        await new Progress(1).step("installing Redis", installRedis);
    }
    const wanted: [string, GoTool][] = Object.entries(goTools);
    const needsPulumi = !hasPulumi() && !(await takePulumiFromPath());
    if (needsPulumi && !(await new Progress(1).step("looking for Pulumi's own download", downloadPulumi))) {
        process.stderr.write("Pulumi's site cannot be reached from here: its CLI is built instead.\n");
        wanted.push(...Object.entries(pulumiTools));
    }
    const missing: [string, GoTool][] = [];
    for (const [name, tool] of wanted.filter(isMissing)) {
        throwIfInterrupted();
        if (!(await takeFromPath(name, tool))) {
            missing.push([name, tool]);
        }
    }
    if (missing.length > 0) {
        checkDisk(missing.length / (Object.keys(goTools).length + Object.keys(pulumiTools).length));
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

async function main(): Promise<number> {
    endGracefully();
    if (!isComplete()) {
        const tell = ({ pid }: { pid: number }) =>
            process.stderr.write(`Another set-up (process ${pid}) is building the tools; waiting for it.\n`);
        await withLock(join(cacheDirectory, "lock"), tell, complete);
        if (!isComplete()) {
            throw new Failure("a tool vanished while others were built: run `npm run setup` again");
        }
    }
    await installPlugins();
    return 0;
}

runMain("setup", main);
