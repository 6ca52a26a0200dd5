import { join } from "node:path";
import { Failure } from "../lib/failure";
import { withLock } from "../lib/lock";
import { cacheDirectory } from "../lib/paths";
import { throwIfInterrupted } from "../lib/run";
import { build, buildGroups, checkDisk, deleteGoCaches, groupName, isBuilt, takeFromPath } from "./go-build";
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

function needsPostgresql(purpose: Purpose | undefined): boolean {
    return purpose === "programs" || purpose === "pods" || purpose === "backup";
}

function isComplete(tools: Tools, purpose: Purpose | undefined): boolean {
    return (
        hasPulumi() &&
        hasRedis() &&
        (!needsPostgresql(purpose) || hasPostgresql()) &&
        (purpose !== "backup" || hasSshd()) &&
        !tools.some(isMissing)
    );
}

async function hasKubernetesPlugin(): Promise<boolean> {
    return isBuilt(pluginProgram("kubernetes"), kubernetesPlugin) || (await hasOfficialPlugin("kubernetes"));
}

/** Builds, downloads or installs whatever is missing. */
async function complete(tools: Tools, purpose: Purpose | undefined): Promise<void> {
    if (!hasRedis()) {
        await new Progress(1).step("installing Redis", installRedis);
    }
    if (needsPostgresql(purpose) && !hasPostgresql()) {
        await new Progress(1).step("installing PostgreSQL", installPostgresql);
    }
    if (purpose === "backup" && !hasSshd()) {
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
            `Building ${missing.length} tools once, into ${cacheDirectory}. Those of \`npm start\` take 20 min.\n`,
        );
    }
    const progress = new Progress(groups.length);
    for (const group of groups) {
        const title = group.length === 1 ? groupName(group) : `${group.length} tools together`;
        await progress.step(`building ${title}`, (advance) => build(group, advance));
    }
    deleteGoCaches();
    if (needsPulumi && !hasPulumi()) {
        installBuiltPulumi();
    }
}

/**
 * Builds, downloads or installs the tools that are missing.
 *
 * @param purpose whose tools are needed beside the sandbox's
 */
export async function completeTools(purpose?: Purpose): Promise<void> {
    const known: Readonly<Record<string, GoTool>> = { ...testTools, ...podTools };
    const more: readonly string[] = purpose === undefined ? [] : toolsFor[purpose];
    const tools = [...Object.entries(goTools), ...Object.entries(known).filter(([name]) => more.includes(name))];
    if (isComplete(tools, purpose) && (await hasKubernetesPlugin())) {
        return;
    }
    const report = ({ pid }: { pid: number }) =>
        process.stderr.write(`Another set-up (process ${pid}) is building the tools; waiting for it.\n`);
    await withLock(join(cacheDirectory, "lock"), report, () => complete(tools, purpose));
    if (!isComplete(tools, purpose)) {
        throw new Failure("a tool vanished while others were built: run `npm run setup` again");
    }
}
