import { spawn } from "node:child_process";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Kubectl } from "../hack/kubectl";
import { adoptObjects } from "../hack/recovery/adopt";
import { repairBackend } from "../hack/recovery/half-written";
import { type Recovery, recover } from "../hack/recovery/recover";
import { pulumiWith } from "../hack/stack";
import { type LockHolder, lockHolder } from "../lib/lock";
import { processIdentity } from "../lib/process-identity";
import { signal } from "../lib/processes";
import { throwIfInterrupted } from "../lib/run";
import { tool } from "../toolchain/tools";
import { type SandboxPaths, sandboxPaths } from "./paths";
import { hasPendingOperations, hasStack, stack, stackLocks } from "./stack-state";

/** Command prefix for `pulumi` on the sandbox's stack by hand. */
export const byHand = "PULUMI_CONFIG_PASSPHRASE=sandbox npx pulumi";

/** Environment variables that Pulumi needs besides ours. */
function environment(root: string): Record<string, string> {
    return {
        // Its language host is in the same folder. Plugins that cannot be downloaded are in npm's folder of commands.
        PATH: [dirname(tool("pulumi")), join(root, "node_modules", ".bin"), process.env["PATH"] ?? ""].join(delimiter),
        PULUMI_BACKEND_URL: `file://${join(root, ".state")}`,
        PULUMI_CONFIG_PASSPHRASE: "sandbox",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_SUPPRESS_NEO_LINK: "true",
    };
}

/**
 * Runs Pulumi in the foreground. Ctrl-C reaches it once, so that it ends its steps in order.
 *
 * @param running file that records it, so that a later command finds it if this one is killed
 * @returns its exit code
 */
async function pulumi(root: string, running: string, args: readonly string[]): Promise<number> {
    const program = tool("pulumi");
    // On a terminal it belongs to the foreground, which gets Ctrl-C from the terminal; otherwise this process forwards
    // it.
    const terminal = process.stdin.isTTY && process.stdout.isTTY;
    const child = spawn(program, args, {
        cwd: root,
        detached: !terminal,
        stdio: [terminal ? "inherit" : "ignore", "inherit", "inherit"],
        env: { ...process.env, ...environment(root) },
    });
    if (child.pid !== undefined) {
        const holder: LockHolder = { pid: child.pid, identity: processIdentity(child.pid) };
        writeFileSync(running, JSON.stringify(holder));
    }
    const interrupt = () => child.kill("SIGINT");
    const forwarded: NodeJS.Signals[] = terminal ? ["SIGTERM"] : ["SIGTERM", "SIGINT", "SIGHUP"];
    for (const name of forwarded) {
        process.on(name, interrupt);
    }
    try {
        return await new Promise<number>((resolve, reject) => {
            child.once("error", reject);
            child.once("exit", (code, by) => resolve(by ? 128 + constants.signals[by] : (code ?? 1)));
        });
    } finally {
        for (const name of forwarded) {
            process.off(name, interrupt);
        }
    }
}

/** Waits for the Pulumi of a killed `npm start`, if it still runs, without interrupting it. */
async function awaitLeftRun(running: string, report: (line: string) => void): Promise<void> {
    const left = lockHolder(running);
    if (left) {
        report(
            `An earlier \`npm start\` was killed, and its Pulumi (process ${left.pid}) is still running: waiting until it ends`,
        );
    }
    for (; lockHolder(running) !== undefined; await delay(200)) {
        throwIfInterrupted();
    }
}

/** Milliseconds for an interrupted Pulumi to end. */
const endLimit = 10_000;

/** Stops the Pulumi of a killed `npm start`, if it still runs, since its cluster is about to be deleted. */
export async function endLeftRun({ running }: SandboxPaths): Promise<void> {
    const left = lockHolder(running);
    if (left) {
        signal(left.pid, "SIGINT");
    }
    for (const deadline = Date.now() + endLimit; lockHolder(running); await delay(100)) {
        if (left && Date.now() > deadline) {
            signal(left.pid, "SIGKILL");
        }
    }
}

/**
 * Repairs the leftovers of a killed Pulumi or an interrupted Helm, or a lost state. Does not start Pulumi without
 * leftovers. Generated values are not kept: those of a sandbox protect nothing.
 *
 * @param lost true if the state was missing or old
 */
async function recoverStack(root: string, lost: boolean, report: (line: string) => void): Promise<void> {
    const locks = stackLocks(root);
    const env = environment(root);
    const recovery: Recovery = {
        root: realpathSync(root),
        stack,
        locks,
        pulumi: (args, input) => pulumiWith([...args, "--stack", stack], { input, env }),
        report,
    };
    const kubectl = new Kubectl(sandboxPaths(root).kubeconfig);
    // The loss of an API server during an installation leaves such a record too, but no trace in Pulumi's state.
    const unfinished = ["--selector", "owner=helm,status notin (deployed,superseded)"];
    const isBlocked = (await kubectl.list("secrets", "--all-namespaces", ...unfinished)).length > 0;
    if (isBlocked || locks.length > 0 || hasPendingOperations(root)) {
        await recover(recovery);
    }
    if (isBlocked || lost) {
        await adoptObjects(recovery, kubectl, []);
    }
}

/**
 * Runs `pulumi up` of the sandbox's stack, with its progress on the screen, after repairing the leftovers of a killed
 * one.
 *
 * @param report called with a line for each repair
 * @returns Pulumi's exit code
 * @throws Failure when another Pulumi works on the stack
 */
export async function pulumiUp(root: string, report: (line: string) => void): Promise<number> {
    const { running } = sandboxPaths(root);
    await awaitLeftRun(running, report);
    mkdirSync(join(root, ".state"), { recursive: true });
    const { old } = repairBackend(join(root, ".state"), report);
    const gone = !hasStack(root);
    if (gone) {
        const exitCode = await pulumi(root, running, ["stack", "select", "--create", stack]);
        if (exitCode !== 0) {
            return exitCode;
        }
    }
    await recoverStack(root, gone || old.includes(stack), report);
    // Waiting costs nothing, so a whole tier of Applications waits in parallel, regardless of the number of cores.
    const up = ["up", "--yes", "--skip-preview", "--parallel", "64", "--stack", stack];
    return pulumi(root, running, up);
}
