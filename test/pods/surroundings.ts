import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Network } from "../provision/machines/network";
import { address, ports } from "./addresses";

/** Value of hearth:registries that leads to the images made here. */
export const registries = Object.fromEntries(
    ["docker.io", "docker.gitea.com", "ecr-public.aws.com", "ghcr.io", "quay.io", "registry.k8s.io"].map((each) => [
        each,
        { mirrors: [`http://${address}:${ports.images}`] },
    ]),
);

/**
 * Starts what a home reaches beyond its nodes, in a test's network.
 *
 * @param root a home whose repository and charts are served beside the images
 */
export async function serve(network: Network, root?: string): Promise<ChildProcess> {
    const script = join(__dirname, "serve.ts");
    const [program, args] = network.command(
        process.execPath,
        ...["--import", "tsx", script, ...(root === undefined ? [] : [root])],
    );
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], cwd: join(__dirname, "../..") });
    await new Promise<void>((resolve, reject) => {
        child.stdout.on("data", (chunk: Buffer) => chunk.toString().includes("serving") && resolve());
        child.once("exit", (code) => reject(new Error(`${script} ended with ${code}`)));
    });
    return child;
}
