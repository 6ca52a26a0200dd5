import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../lib/root";
import { shellQuote } from "../../lib/shell";
import { hasOfficialPlugin, pluginProgram } from "../../toolchain/pulumi-plugins";
import { type PluginName, pluginNames, pluginVersion } from "../../toolchain/pulumi-version";
import { builtPath, kubernetesPlugin } from "../../toolchain/tools";

/** On PATH of whatever npm or npx runs. */
const binaries = join(root, "node_modules", ".bin");

/** Puts the built plugin, or a stand-in, where the engine finds it. */
function installOwn(name: PluginName): void {
    const path = join(binaries, pluginProgram(name));
    const program =
        name === "kubernetes"
            ? // Release 4.25.0 does not know the provider's setting enablePatchForce, but the variable behind it.
              ["env", "PULUMI_K8S_ENABLE_PATCH_FORCE=true", builtPath(pluginProgram(name), kubernetesPlugin)]
            : [process.execPath, join(root, "dist", `${pluginProgram(name)}.cjs`)];
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, `#!/bin/sh\nexec ${program.map(shellQuote).join(" ")} "$@"\n`, { mode: 0o755 });
    renameSync(temporary, path);
}

/**
 * Provides Pulumi's plugins to the engine: the official ones if they are on PATH, installed, or downloadable. Otherwise
 * kubernetes is the one that the toolchain built, and command and random have stand-ins. Prints the origin of each when
 * it changes.
 */
export async function installPlugins(): Promise<void> {
    const origins: string[] = [];
    for (const name of pluginNames) {
        const official = await hasOfficialPlugin(name);
        if (official) {
            rmSync(join(binaries, pluginProgram(name)), { force: true });
        } else {
            installOwn(name);
        }
        const own = name === "kubernetes" ? "built from source" : "stand-in";
        origins.push(`${name} ${pluginVersion(name)} (${official ? "official" : own})`);
    }
    const printed = join(binaries, ".hearth-plugins");
    const line = `Pulumi plugins: ${origins.join(", ")}\n`;
    if (!existsSync(printed) || readFileSync(printed, "utf8") !== line) {
        writeFileSync(printed, line);
        process.stderr.write(line);
    }
}
