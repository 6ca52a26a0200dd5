import { readFileSync } from "node:fs";
import { join } from "node:path";
import { homeDirectory } from "../lib/paths";
import { root } from "../lib/root";

function packageVersion(name: string): string {
    return JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;
}

/** The release of Pulumi's CLI: the version of the npm launcher package `pulumi`. */
export const pulumiVersion = packageVersion("pulumi");

/** Pulumi's plugins that the program needs. */
export const pluginNames = ["kubernetes", "command", "random"] as const;

/** One of {@link pluginNames}. */
export type PluginName = (typeof pluginNames)[number];

/** The version of the npm package, which equals the version of its plugin. */
export function pluginVersion(name: PluginName): string {
    return packageVersion(`@pulumi/${name}`);
}

/** Folder in which the npm launcher looks for the CLI before it downloads it. */
export const pulumiDirectory = join(
    process.env["PULUMI_HOME"] || join(homeDirectory(), ".pulumi"),
    "versions",
    pulumiVersion,
    "bin",
);
