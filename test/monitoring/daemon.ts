import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ToolName, tool } from "../../toolchain/tools";
import { eventually } from "./eventually";

/** A program of the toolchain that runs until it is stopped. */
export class Daemon {
    private constructor(
        private readonly child: ChildProcess,
        /** Its process id. */
        readonly pid: number,
    ) {}

    /**
     * Starts a program and waits until it answers.
     *
     * @param directory where its log is written
     * @param ready URL that answers with 200 once it works
     * @throws with its log, when it ends or does not answer in time
     */
    static async start(name: ToolName, parameters: string[], directory: string, ready: string): Promise<Daemon> {
        const log = join(directory, `${name}.log`);
        const output = openSync(log, "w");
        const child = spawn(tool(name), parameters, { cwd: directory, stdio: ["ignore", output, output] });
        closeSync(output);
        const daemon = new Daemon(child, child.pid ?? 0);
        try {
            await eventually(`${name} answers at ${ready}`, async () => {
                if (child.exitCode !== null) {
                    throw new Error(`${name} exited with ${child.exitCode}`);
                }
                return (await fetch(ready)).ok;
            });
        } catch (error) {
            await daemon.stop();
            throw new Error(`${error instanceof Error ? error.message : error}:\n${readFileSync(log, "utf8")}`);
        }
        return daemon;
    }

    /** Ends it and waits until it has ended. */
    async stop(): Promise<void> {
        if (this.child.exitCode === null && this.child.signalCode === null) {
            const gone = new Promise((resolve) => this.child.once("exit", resolve));
            this.child.kill("SIGTERM");
            await gone;
        }
    }
}
