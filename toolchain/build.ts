import { join } from "node:path";
import { Failure } from "../lib/failure";
import { withLock } from "../lib/lock";
import { cacheDirectory } from "../lib/paths";
import { throwIfInterrupted } from "../lib/run";
import {
    type BuildGroup,
    build,
    buildGroups,
    checkDisk,
    deleteGoCaches,
    deleteLeftovers,
    groupName,
    isBuilt,
    parallelBuilds,
    takeFromPath,
} from "./go-build";
import { hasPostgresql, installPostgresql } from "./postgresql";
import { Progress } from "./progress";
import { downloadPulumi, hasPulumi, installBuiltPulumi, takePulumiFromPath } from "./pulumi-cli";
import { hasOfficialPlugin, pluginProgram } from "./pulumi-plugins";
import { hasRedis, installRedis } from "./redis";
import { hasSshd, installSshd } from "./sshd";
import { type GoTool, goTools, kubernetesPlugin, podTools, pulumiTools, testTools, toolsFor } from "./tools";

type Tools = readonly (readonly [name: string, tool: GoTool])[];

const isMissing = ([name, tool]: Tools[number]) => !isBuilt(name, tool);

/** Tool set that a command of package.json needs besides the sandbox's. */
export type Purpose = keyof typeof toolsFor;

type Purposes = readonly Purpose[];

function needsPostgresql(purposes: Purposes): boolean {
    return purposes.some((each) => each === "programs" || each === "pods" || each === "backup");
}

function isComplete(tools: Tools, purposes: Purposes): boolean {
    return (
        hasPulumi() &&
        hasRedis() &&
        (!needsPostgresql(purposes) || hasPostgresql()) &&
        (!purposes.includes("backup") || hasSshd()) &&
        !tools.some(isMissing)
    );
}

async function hasKubernetesPlugin(): Promise<boolean> {
    return isBuilt(pluginProgram("kubernetes"), kubernetesPlugin) || (await hasOfficialPlugin("kubernetes"));
}

/** Builds, downloads or installs missing tools. */
async function complete(tools: Tools, purposes: Purposes): Promise<void> {
    if (!hasRedis()) {
        await new Progress(1).step("installing Redis", installRedis);
    }
    if (needsPostgresql(purposes) && !hasPostgresql()) {
        await new Progress(1).step("installing PostgreSQL", installPostgresql);
    }
    if (purposes.includes("backup") && !hasSshd()) {
        await new Progress(1).step("installing OpenSSH's server", installSshd);
    }
    const wanted = [...tools];
    const needsPulumi = !hasPulumi() && !(await takePulumiFromPath());
    if (needsPulumi && !(await new Progress(1).step("looking for Pulumi's own download", downloadPulumi))) {
        process.stderr.write("Pulumi's site cannot be reached from here: its CLI is built instead.\n");
        wanted.push(...Object.entries(pulumiTools));
    }
    if (!(await hasOfficialPlugin("kubernetes"))) {
        wanted.push([pluginProgram("kubernetes"), kubernetesPlugin]);
    }
    const missing: Tools[number][] = [];
    for (const [name, tool] of wanted.filter(isMissing)) {
        throwIfInterrupted();
        if (!(await takeFromPath(name, tool))) {
            missing.push([name, tool]);
        }
    }
    const groups = buildGroups(missing);
    if (groups.length > 0) {
        checkDisk(missing.length / (Object.keys(goTools).length + Object.keys(pulumiTools).length));
        process.stderr.write(
            `Building ${missing.length} tools once, into ${cacheDirectory}. Those of \`npm start\` take 15 to 35 min.\n`,
        );
    }
    deleteLeftovers();
    await buildAll(groups);
    await deleteGoCaches();
    if (needsPulumi && !hasPulumi()) {
        installBuiltPulumi();
    }
}

/**
 * Builds groups, {@link parallelBuilds} at a time: one downloads or links on one core while another compiles.
 *
 * @throws Failure of the first that cannot be built, after the others have ended
 */
export async function buildAll(groups: readonly BuildGroup[]): Promise<void> {
    const progress = new Progress(groups.length);
    const waiting = [...groups];
    const failed = new AbortController();
    const errors: unknown[] = [];
    const work = async () => {
        for (let group = waiting.shift(); group && errors.length === 0; group = waiting.shift()) {
            const next = group;
            const title = next.length === 1 ? groupName(next) : `${next.length} tools together`;
            await progress.step(`building ${title}`, (advance) => build(next, advance, failed.signal));
        }
    };
    const builds = Array.from({ length: parallelBuilds }, () =>
        work().catch((error: unknown) => {
            errors.push(error);
            failed.abort();
        }),
    );
    await Promise.all(builds);
    if (errors.length > 0) {
        throw errors[0];
    }
}

/** Go programs of the sandbox and of the given commands. */
export function toolsOf(purposes: Purposes): Tools {
    // Nodes first: they can start while programs of images are compiled.
    const known: Readonly<Record<string, GoTool>> = { ...podTools, ...testTools };
    const more: readonly string[] = purposes.flatMap((each) => toolsFor[each]);
    return [...Object.entries(goTools), ...Object.entries(known).filter(([name]) => more.includes(name))];
}

/**
 * Builds, downloads or installs the tools that are missing.
 *
 * @param purposes commands whose tools are needed in addition to the sandbox's
 */
export async function completeTools(purposes: Purposes): Promise<void> {
    const tools = toolsOf(purposes);
    if (isComplete(tools, purposes) && (await hasKubernetesPlugin())) {
        return;
    }
    const report = ({ pid }: { pid: number }) =>
        process.stderr.write(`Another setup (process ${pid}) is building the tools; waiting for it.\n`);
    await withLock(join(cacheDirectory, "lock"), report, () => complete(tools, purposes));
    if (!isComplete(tools, purposes)) {
        throw new Failure("a tool was deleted while others were built: rerun `npm run setup`");
    }
}
