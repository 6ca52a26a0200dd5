import { mkdirSync, readlinkSync, renameSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ToolName, tool } from "../toolchain/tools";
import type { SandboxPaths } from "./paths";

/** Makes a symbolic link, or points an existing one elsewhere, without a moment in which it is missing. */
export function link(target: string, path: string): string {
    mkdirSync(dirname(path), { recursive: true });
    try {
        if (readlinkSync(path) === target) {
            return path;
        }
    } catch {
        // There is no link yet.
    }
    const temporary = `${path}.${process.pid}.new`;
    symlinkSync(target, temporary);
    renameSync(temporary, path);
    return path;
}

/**
 * A path in .sandbox/bin for a tool: a process that is started by it is the sandbox's own.
 *
 * @param name to run it by, where that is not the tool's
 * @throws Failure when the tool is missing
 */
export function ownTool(paths: SandboxPaths, name: ToolName, as: string = name): string {
    return link(tool(name), join(paths.bin, as));
}
