import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { cacheDirectory, isExecutable } from "../../lib/paths";
import { run } from "../../lib/run";
import { tool } from "../../toolchain/tools";
import { bundlePlugin, type PluginName, pluginNames, pluginVersion, writeLauncher } from "./bundle";

/** Milliseconds for Pulumi's site to hand over a plugin. */
const downloadLimit = 120_000;
/** Milliseconds for which a failed download is not tried again. */
const retryAfter = 24 * 60 * 60 * 1000;

const cache = join(cacheDirectory, "plugins");
const binaries = resolve(__dirname, "..", "..", "node_modules", ".bin");

function executableName(name: PluginName): string {
    return `pulumi-resource-${name}`;
}

/** The launcher of the stand-in: on PATH whenever npm or npx runs something. */
function launcherPath(name: PluginName): string {
    return join(binaries, executableName(name));
}

/** The plugin on PATH that is not a stand-in of this repository or of a copy of it. */
function onPath(name: PluginName): string | undefined {
    return (process.env["PATH"] ?? "")
        .split(delimiter)
        .filter((folder) => folder !== "")
        .map((folder) => resolve(folder, executableName(name)))
        .find((file) => isExecutable(file) && !isStandIn(file));
}

function isStandIn(file: string): boolean {
    return statSync(file).size < 4096 && readFileSync(file, "utf8").includes("HEARTH_PLUGIN_VERSION");
}

/** The plugin that Pulumi has installed already. */
function installed(name: PluginName): string | undefined {
    const home = process.env["PULUMI_HOME"] || join(homedir(), ".pulumi");
    const file = join(home, "plugins", `resource-${name}-v${pluginVersion(name)}`, executableName(name));
    return isExecutable(file) ? file : undefined;
}

/** Its age tells when a download has failed last. All plugins come from the same site. */
const failureMark = join(cache, "download-failed");

function failedLately(): boolean {
    return existsSync(failureMark) && Date.now() - statSync(failureMark).mtimeMs < retryAfter;
}

/** Lets Pulumi install its own plugin; a failure is remembered for a day. */
async function download(name: PluginName): Promise<boolean> {
    const launcher = resolve(__dirname, "..", "..", "node_modules", "pulumi", "run.js");
    const args = [launcher, "plugin", "install", "resource", name, pluginVersion(name), "--non-interactive"];
    const { exitCode } = await run(process.execPath, args, {
        timeout: downloadLimit,
        env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    });
    if (exitCode === 0 && installed(name) !== undefined) {
        return true;
    }
    mkdirSync(cache, { recursive: true });
    writeFileSync(failureMark, "");
    return false;
}

async function installStandIn(name: PluginName): Promise<void> {
    const file = await bundlePlugin(name, cache);
    writeLauncher(launcherPath(name), file, {
        HEARTH_PLUGIN_VERSION: pluginVersion(name),
        ...(name === "kubernetes" ? { HEARTH_HELM: tool("helm") } : {}),
    });
}

/** What a plugin turned out to be. */
type Origin = "official" | "stand-in";

async function installPlugin(name: PluginName): Promise<Origin> {
    if (onPath(name) !== undefined || installed(name) !== undefined || (!failedLately() && (await download(name)))) {
        rmSync(launcherPath(name), { force: true });
        return "official";
    }
    await installStandIn(name);
    return "stand-in";
}

/**
 * Sees to it that Pulumi finds the plugins kubernetes, command and random: the official ones where they are on PATH,
 * installed, or can be downloaded, else the stand-ins. A line on the terminal tells which, whenever that changes.
 *
 * @throws Failure when helm is missing, which the kubernetes stand-in needs
 */
export async function installPlugins(): Promise<void> {
    const origins: Record<string, Origin> = {};
    for (const name of pluginNames) {
        origins[`${name} ${pluginVersion(name)}`] = await installPlugin(name);
    }
    const decided = join(binaries, ".hearth-plugins.json");
    const decision = JSON.stringify(origins);
    if (existsSync(decided) && readFileSync(decided, "utf8") === decision) {
        return;
    }
    writeFileSync(decided, decision);
    const listed = Object.entries(origins).map(([plugin, origin]) => `${plugin} (${origin})`);
    process.stderr.write(`Pulumi plugins: ${listed.join(", ")}\n`);
}
