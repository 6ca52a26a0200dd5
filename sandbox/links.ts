import { mkdirSync, readlinkSync, renameSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ToolName, tool } from "../toolchain/tools";
import type { SandboxPaths } from "./paths";

/** Creates a symbolic link, or replaces an existing one atomically. */
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
 * A path in .sandbox/bin for a tool, which identifies its process as the sandbox's own.
 *
 * @param name of the link, if it is not the tool's
 * @throws Failure when the tool is missing
 */
export function ownTool(paths: SandboxPaths, name: ToolName, as: string = name): string {
    return link(tool(name), join(paths.bin, as));
}
