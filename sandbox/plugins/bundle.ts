import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { bundle } from "../../lib/bundle";
import { shellQuote } from "../../lib/shell";

/** The plugins that have a stand-in here. */
export const pluginNames = ["kubernetes", "command", "random"] as const;

/** One of {@link pluginNames}. */
export type PluginName = (typeof pluginNames)[number];

/** Raised when bundling changes in a way that the sources do not show. */
const format = 2;

const moduleRequire = createRequire(__filename);

function sources(folder: string): string[] {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => join(folder, file))
        .sort();
}

function packageVersion(name: string): string {
    return (JSON.parse(readFileSync(moduleRequire.resolve(`${name}/package.json`), "utf8")) as { version: string })
        .version;
}

/** The version of the npm package, which is the version of the plugin that it wants. */
export function pluginVersion(name: PluginName): string {
    return packageVersion(`@pulumi/${name}`);
}

/** Names the contents of a plugin's bundle: its sources, and the packages that go into it. */
export function bundleHash(name: PluginName): string {
    const hash = createHash("sha256");
    for (const file of [...sources(join(__dirname, "shared")), ...sources(join(__dirname, name))]) {
        hash.update(file.slice(__dirname.length)).update(readFileSync(file));
    }
    const packages = ["@grpc/grpc-js", "@pulumi/pulumi", "google-protobuf", "yaml", "esbuild"].map(packageVersion);
    hash.update(JSON.stringify([format, process.version, pluginVersion(name), ...packages]));
    return hash.digest("hex").slice(0, 16);
}

/**
 * Bundles a stand-in into one file, for a fast start; does nothing when it is there.
 *
 * @param cache folder of bundles
 * @returns path of the bundle
 */
export function bundlePlugin(name: PluginName, cache: string): Promise<string> {
    // Named as Pulumi names its own, so that whoever looks at the processes sees what it is.
    const file = join(cache, bundleHash(name), `pulumi-resource-${name}.cjs`);
    return bundle(join(__dirname, name, "main.ts"), file);
}

/**
 * Writes the program that the engine starts.
 *
 * @param environment variables that the stand-in reads
 */
export function writeLauncher(path: string, file: string, environment: Readonly<Record<string, string>>): void {
    const assignments = Object.entries(environment).map(([name, value]) => `export ${name}=${shellQuote(value)}\n`);
    const script = `#!/bin/sh\n${assignments.join("")}exec ${shellQuote(process.execPath)} ${shellQuote(file)} "$@"\n`;
    if (existsSync(path) && readFileSync(path, "utf8") === script) {
        return;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.${process.pid}`, script, { mode: 0o755 });
    chmodSync(`${path}.${process.pid}`, 0o755);
    renameSync(`${path}.${process.pid}`, path);
}
