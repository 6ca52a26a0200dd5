import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { builtPath, goTools } from "../toolchain/tools";
import type { SandboxPaths } from "./paths";

/** Changes with anything that a running daemon was started from: its code, its settings, its tools. */
export function daemonFingerprint(paths: SandboxPaths): string {
    const hash = createHash("sha256");
    for (const entry of readdirSync(__dirname, { recursive: true, encoding: "utf8" }).sort()) {
        if (entry.endsWith(".ts")) {
            hash.update(entry).update(readFileSync(join(__dirname, entry)));
        }
    }
    hash.update(readFileSync(join(paths.root, "Pulumi.sandbox.yaml")));
    for (const [name, tool] of Object.entries(goTools)) {
        hash.update(builtPath(name, tool));
    }
    return hash.digest("hex");
}
