import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "../lib/root";
import { builtPath, goTools } from "../toolchain/tools";
import type { SandboxPaths } from "./paths";

const folder = join(root, "sandbox");

/** Changes with any input of a running daemon: its code, its settings, the charts it serves, its tools. */
export function daemonFingerprint(paths: SandboxPaths): string {
    const hash = createHash("sha256");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
        // Pulumi runs the plugins, not the daemon.
        .filter((file) => !file.startsWith("plugins") && statSync(join(folder, file)).isFile())
        .sort();
    for (const file of files) {
        hash.update(file).update(readFileSync(join(folder, file)));
    }
    for (const file of ["Pulumi.sandbox.yaml", "components/releases.ts"]) {
        hash.update(readFileSync(join(paths.root, file)));
    }
    for (const [name, tool] of Object.entries(goTools)) {
        hash.update(builtPath(name, tool));
    }
    return hash.digest("hex");
}
