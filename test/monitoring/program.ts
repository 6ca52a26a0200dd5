import { execFile } from "node:child_process";
import { type ToolName, tool } from "../../toolchain/tools";

/** How a program ended. */
export interface Outcome {
    readonly code: number;
    /** What it printed, on both streams. */
    readonly output: string;
}

/** Runs one of the toolchain's programs to its end. */
export function runTool(name: ToolName, ...parameters: string[]): Promise<Outcome> {
    return new Promise((resolve) => {
        execFile(tool(name), parameters, { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) =>
            resolve({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, output: stdout + stderr }),
        );
    });
}
