import { execFile } from "node:child_process";
import { type ToolName, tool } from "../../toolchain/tools";

/** End of a program. */
export interface Outcome {
    readonly code: number;
    /** Its output on both streams. */
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
