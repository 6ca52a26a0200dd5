import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The release of Pulumi's CLI: the one that the npm launcher package `pulumi` stands for. */
export const pulumiVersion: string = JSON.parse(
    readFileSync(join(__dirname, "..", "node_modules", "pulumi", "package.json"), "utf8"),
).version;

/** Where the npm launcher looks for the CLI before it downloads it. */
export const pulumiDirectory = join(
    process.env["PULUMI_HOME"] || join(homedir(), ".pulumi"),
    "versions",
    pulumiVersion,
    "bin",
);
