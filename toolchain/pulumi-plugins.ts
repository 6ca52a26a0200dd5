import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { cacheDirectory, homeDirectory, isExecutable } from "../lib/paths";
import { root } from "../lib/root";
import { run } from "../lib/run";
import { hasPulumi } from "./pulumi-cli";
import { type PluginName, pluginVersion } from "./pulumi-version";

/** Milliseconds for one plugin to download. */
const downloadLimit = 120_000;
/** Milliseconds until a failed download is retried. */
const retryAfter = 24 * 60 * 60 * 1000;
/** Written when a download has failed. All plugins come from the same site. */
const failureMark = join(cacheDirectory, "plugins", "download-failed");

/** The name of the program that the engine starts. */
export function pluginProgram(name: PluginName): string {
    return `pulumi-resource-${name}`;
}

/** The plugin on PATH, except in npm's folders, which contain the stand-ins. */
function onPath(name: PluginName): string | undefined {
    return (process.env["PATH"] ?? "")
        .split(delimiter)
        .filter((folder) => folder !== "" && !resolve(folder).endsWith(join("node_modules", ".bin")))
        .map((folder) => resolve(folder, pluginProgram(name)))
        .find(isExecutable);
}

function isInstalled(name: PluginName): boolean {
    const home = process.env["PULUMI_HOME"] || join(homeDirectory(), ".pulumi");
    return isExecutable(join(home, "plugins", `resource-${name}-v${pluginVersion(name)}`, pluginProgram(name)));
}

function failedLately(): boolean {
    return existsSync(failureMark) && Date.now() - statSync(failureMark).mtimeMs < retryAfter;
}

/** Installs Pulumi's own plugin with Pulumi's CLI. */
async function download(name: PluginName): Promise<boolean> {
    const launcher = join(root, "node_modules/pulumi/run.js");
    const args = [launcher, "plugin", "install", "resource", name, pluginVersion(name), "--non-interactive"];
    const { exitCode } = await run(process.execPath, args, {
        timeout: downloadLimit,
        env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    });
    if (exitCode === 0 && isInstalled(name)) {
        return true;
    }
    mkdirSync(join(failureMark, ".."), { recursive: true });
    writeFileSync(failureMark, "");
    return false;
}

/** Reports whether Pulumi's own plugin is on PATH, installed, or can be downloaded, which needs Pulumi's CLI. */
export async function hasOfficialPlugin(name: PluginName): Promise<boolean> {
    return (
        onPath(name) !== undefined || isInstalled(name) || (hasPulumi() && !failedLately() && (await download(name)))
    );
}
