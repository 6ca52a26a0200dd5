import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { tool } from "../toolchain/tools";

/**
 * `pulumi up` of everything below the Applications: the System component and what is in it. It asks before it changes
 * anything.
 *
 * @returns Pulumi's exit code
 */
export async function upSystem(stack: string): Promise<number> {
    const program = tool("pulumi");
    const targets = ["--target", "**hearth:components:System::*", "--target", "**hearth:components:System$**"];
    const child = spawn(program, ["up", "--stack", stack, "--suppress-permalink", ...targets], {
        stdio: "inherit",
        env: {
            ...process.env,
            PATH: [dirname(program), join("node_modules", ".bin"), process.env["PATH"] ?? ""].join(delimiter),
        },
    });
    return new Promise((resolve, reject) => {
        child.once("error", reject);
        child.once("close", (code) => resolve(code ?? 1));
    });
}
