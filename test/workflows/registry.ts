import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { tool } from "../../toolchain/tools";

/** A registry of images on this machine, which stands in for Gitea's. */
export interface Registry {
    /** Host and port; names that begin with localhost are reached without TLS. */
    readonly host: string;
    stop(): Promise<void>;
}

const ended = (process: ChildProcess) => new Promise<void>((resolve) => process.once("exit", () => resolve()));

/** Starts an empty registry on a free port, and waits until it listens. */
export async function startRegistry(): Promise<Registry> {
    const serving = spawn(tool("crane"), ["registry", "serve", "--address", "localhost:0"], {
        stdio: ["ignore", "ignore", "pipe"],
    });
    for await (const line of createInterface({ input: serving.stderr })) {
        const port = /serving on port (\d+)/.exec(line)?.[1];
        if (port !== undefined) {
            // Requests are discarded: a full pipe would block it.
            serving.stderr.resume();
            const stop = () => {
                const end = ended(serving);
                serving.kill();
                return end;
            };
            return { host: `localhost:${port}`, stop };
        }
    }
    throw new Error("crane registry serve ended before it listened");
}
