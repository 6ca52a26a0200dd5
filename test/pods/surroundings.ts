import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeImages } from "../../sandbox/images/make";
import { recipes } from "../../sandbox/images/recipes";
import type { Network } from "../provision/machines/network";
import { address, port } from "./addresses";

/** Value of hearth:registries that leads to the images made here. */
export const registries = { "docker.io": { mirrors: [`http://${address}:${port}`] } };

/** Parts of a test's network other than its machines. */
export interface Surroundings {
    close(): void;
}

/** Starts serving the images that k3s needs, in a test's network. */
export async function serve(network: Network): Promise<Surroundings> {
    // Made out here, from where packages can be downloaded: the network leads nowhere.
    const images = await makeImages(
        recipes.filter(({ repositories }) => repositories.some((each) => each.startsWith("docker.io/rancher/"))),
    );
    const folder = mkdtempSync(join(tmpdir(), "hearth-images-"));
    const manifests = join(folder, "manifests.json");
    writeFileSync(manifests, JSON.stringify([...images]));
    const script = join(__dirname, "serve.ts");
    const [program, args] = network.command(process.execPath, "--import", "tsx", script, manifests);
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], cwd: join(__dirname, "../..") });
    await new Promise<void>((resolve, reject) => {
        child.stdout.on("data", (chunk: Buffer) => chunk.toString().includes("serving") && resolve());
        child.once("exit", (code) => reject(new Error(`${script} ended with ${code}`)));
    });
    return {
        close: () => {
            child.kill();
            rmSync(folder, { recursive: true });
        },
    };
}
