import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { constants, hostname } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { Failure } from "../toolchain/failure";
import { tool } from "../toolchain/tools";
import { commandLineOf } from "./own-processes";
import { hasStack, stack, stackLocks } from "./stack-state";

/** What a person types before `pulumi` to work on the sandbox's stack by hand. */
export const byHand = "PULUMI_CONFIG_PASSPHRASE=sandbox npx pulumi";

/**
 * Runs Pulumi in the foreground. Ctrl-C reaches it once, so that it ends what it does in order.
 *
 * @returns its exit code
 */
async function pulumi(root: string, args: readonly string[]): Promise<number> {
    const program = tool("pulumi");
    // On a terminal it belongs to the foreground, which gets Ctrl-C from the terminal; else it hears of it from here.
    const terminal = process.stdin.isTTY && process.stdout.isTTY;
    const child = spawn(program, args, {
        cwd: root,
        detached: !terminal,
        stdio: [terminal ? "inherit" : "ignore", "inherit", "inherit"],
        env: {
            ...process.env,
            // Its language host stands beside it; stand-ins for its plugins are where npm puts commands.
            PATH: [dirname(program), join(root, "node_modules", ".bin"), process.env["PATH"] ?? ""].join(delimiter),
            PULUMI_BACKEND_URL: `file://${join(root, ".state")}`,
            PULUMI_CONFIG_PASSPHRASE: "sandbox",
            PULUMI_SKIP_UPDATE_CHECK: "true",
            PULUMI_SUPPRESS_NEO_LINK: "true",
        },
    });
    const interrupt = () => child.kill("SIGINT");
    const forwarded: NodeJS.Signals[] = terminal ? ["SIGTERM"] : ["SIGTERM", "SIGINT", "SIGHUP"];
    for (const signal of forwarded) {
        process.on(signal, interrupt);
    }
    try {
        return await new Promise<number>((resolve, reject) => {
            child.once("error", reject);
            child.once("exit", (code, signal) => resolve(signal ? 128 + constants.signals[signal] : (code ?? 1)));
        });
    } finally {
        for (const signal of forwarded) {
            process.off(signal, interrupt);
        }
    }
}

/** A Pulumi that was killed leaves its lock on the stack; one that runs keeps it. */
function releaseStaleLocks(root: string): void {
    for (const { pid, hostname: host, file } of stackLocks(root)) {
        const here = host === hostname() || host === "";
        if (here && commandLineOf(pid)?.includes("pulumi")) {
            throw new Failure(
                `Pulumi (process ${pid}) works on stack ${stack} already: let it finish, then run it again. ` +
                    `\`${byHand} cancel --stack ${stack}\` takes the stack from it.`,
            );
        }
        if (here) {
            rmSync(file, { force: true });
            rmSync(`${file}.attrs`, { force: true });
        }
    }
}

/**
 * Runs `pulumi up` of the sandbox's stack, with its progress on the screen.
 *
 * @returns Pulumi's exit code
 * @throws Failure when another Pulumi works on the stack
 */
export async function pulumiUp(root: string): Promise<number> {
    releaseStaleLocks(root);
    mkdirSync(join(root, ".state"), { recursive: true });
    if (!hasStack(root)) {
        const exitCode = await pulumi(root, ["stack", "select", "--create", stack]);
        if (exitCode !== 0) {
            return exitCode;
        }
    }
    // Waiting costs nothing: a whole tier of Applications waits at once, not as many as there are cores.
    const parallel = ["--parallel", "64"];
    return pulumi(root, ["up", "--yes", "--skip-preview", "--suppress-permalink", ...parallel, "--stack", stack]);
}
