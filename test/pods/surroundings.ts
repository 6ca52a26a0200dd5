import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Network } from "../provision/machines/network";
import { address, port } from "./addresses";

/** Value of hearth:registries that leads to the images made here. */
export const registries = { "docker.io": { mirrors: [`http://${address}:${port}`] } };

/** Starts serving the images that k3s needs, in a test's network. */
export async function serve(network: Network): Promise<ChildProcess> {
    const script = join(__dirname, "serve.ts");
    const [program, args] = network.command(process.execPath, "--import", "tsx", script);
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], cwd: join(__dirname, "../..") });
    await new Promise<void>((resolve, reject) => {
        child.stdout.on("data", (chunk: Buffer) => chunk.toString().includes("serving") && resolve());
        child.once("exit", (code) => reject(new Error(`${script} ended with ${code}`)));
    });
    return child;
}
