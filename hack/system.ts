import { spawn } from "node:child_process";
import { tool } from "../toolchain/tools";
import { pulumiEnvironment } from "./stack";

/**
 * `pulumi up` of everything below the Applications: the System component and its children. It prompts for confirmation.
 *
 * @returns Pulumi's exit code
 */
export async function upSystem(stack: string): Promise<number> {
    const targets = ["--target", "**hearth:components:System::*", "--target", "**hearth:components:System$**"];
    const child = spawn(tool("pulumi"), ["up", "--stack", stack, ...targets], {
        stdio: "inherit",
        env: pulumiEnvironment(),
    });
    return new Promise((resolve, reject) => {
        child.once("error", reject);
        child.once("close", (code) => resolve(code ?? 1));
    });
}
