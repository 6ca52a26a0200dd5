import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDirectory } from "../../lib/paths";
import { prepareCharts } from "../../sandbox/chart-repository";
import { makeImages } from "../../sandbox/images/make";
import { type Recipe, recipes } from "../../sandbox/images/recipes";
import type { Network } from "../provision/machines/network";
import { address, ports } from "./addresses";

const mirror = { mirrors: [`http://${address}:${ports.images}`] };

/** Value of hearth:registries for the images built here: a mirror of each of their registries. */
export const registries = Object.fromEntries(
    [...new Set(recipes.flatMap(({ repositories }) => repositories.map((each) => each.replace(/\/.*/, ""))))]
        .sort()
        .map((registry) => [registry, mirror]),
);

/** URL of the system's charts. */
export const chartRepository = `http://${address}:${ports.charts}`;

/** Parts of a test's network besides its machines. */
export interface Surroundings {
    /** Takes the registry away. */
    stopImages(): void;
    close(): void;
}

async function started(child: ChildProcess, line: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
        child.stdout?.on("data", (chunk: Buffer) => chunk.toString().includes(line) && resolve());
        child.once("exit", (code) => reject(new Error(`what serves a test's network exited with ${code}`)));
    });
}

/** Images of services, and those of k3s and of the system's releases. */
function imagesOf(services: readonly string[]): Recipe[] {
    const charts = join(__dirname, "../../charts");
    const values = readdirSync(charts)
        .filter((name) => name !== "common")
        .map((name) => ({ name, text: readFileSync(join(charts, name, "values.yaml"), "utf8") }));
    return recipes.filter(({ repositories }) =>
        repositories.some((repository) => {
            const users = values.filter(({ text }) => text.includes(`repository: ${repository}\n`));
            return users.length === 0 || users.some(({ name }) => services.includes(name));
        }),
    );
}

const imagesOfK3s = recipes.filter(({ repositories }) =>
    repositories.some((each) => each.startsWith("docker.io/rancher/")),
);

/**
 * Starts serving images in a test's isolated network.
 *
 * @param services whose images are served, in addition to the system's images and charts; by default only k3s' own
 * images
 */
export async function serve(network: Network, services?: readonly string[]): Promise<Surroundings> {
    // Built outside the test's network, where packages can be downloaded.
    const images = await makeImages(services ? imagesOf(services) : imagesOfK3s);
    const folder = mkdtempSync(join(tmpdir(), "hearth-images-"));
    const manifests = join(folder, "manifests.json");
    writeFileSync(manifests, JSON.stringify([...images]));
    const start = (errors: "inherit" | "ignore", program: string, ...args: string[]) =>
        spawn(...network.command(program, ...args), {
            stdio: ["ignore", "pipe", errors],
            cwd: join(__dirname, "../.."),
        });
    const children = [start("inherit", process.execPath, "--import", "tsx", join(__dirname, "serve.ts"), manifests)];
    await Promise.all(children.map((each) => started(each, "serving")));
    if (services) {
        const charts = join(cacheDirectory, "charts-of-pods");
        await prepareCharts(charts);
        const bound = ["--bind", address, "--directory", charts];
        // Its log of requests goes to standard error.
        const server = start("ignore", "python3", "-u", "-m", "http.server", ...bound, `${ports.charts}`);
        await started(server, "Serving");
        children.push(server);
    }
    return {
        stopImages: () => {
            children[0]?.kill();
        },
        close: () => {
            for (const each of children) {
                each.kill();
            }
            rmSync(folder, { recursive: true });
        },
    };
}
