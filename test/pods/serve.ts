// Everything that a home reaches beyond its nodes, in a network that leads nowhere: images, charts and Git.
import { mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { prepareCharts, serveChartRepository } from "../../sandbox/chart-repository";
import { pushCheckout } from "../../sandbox/git-repository";
import { serveRepository } from "../../sandbox/git-server";
import { makeImages } from "../../sandbox/images/make";
import { recipes } from "../../sandbox/images/recipes";
import { serveImages } from "../../sandbox/images/registry";
import { sandboxPaths } from "../../sandbox/paths";
import { address, ports, repository } from "./addresses";

/** Has what listens on loopback answer at the network's address, too. */
async function expose(port: number): Promise<void> {
    const server = createServer((client) => {
        const inside = connect(port, "127.0.0.1");
        client.on("error", () => inside.destroy()).pipe(inside);
        inside.on("error", () => client.destroy()).pipe(client);
    });
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
}

/** Serves the charts that the program installs, and a home's repository. */
async function serveHome(root: string): Promise<void> {
    const paths = sandboxPaths(root);
    const settings = { gitPort: ports.git, repository, branch: "main", chartsPort: ports.charts };
    mkdirSync(paths.directory, { recursive: true });
    await prepareCharts(paths.charts);
    await serveChartRepository(ports.charts, paths.charts, () => ({}));
    await pushCheckout(paths, settings);
    await serveRepository(paths, settings);
    await Promise.all([expose(ports.git), expose(ports.charts)]);
}

void (async () => {
    const [root] = process.argv.slice(2);
    // Nodes alone need the images of k3s, and no others.
    const wanted = recipes.filter(
        ({ repositories }) => root !== undefined || repositories.some((each) => each.startsWith("docker.io/rancher/")),
    );
    await serveImages(await makeImages(wanted), address, ports.images);
    if (root !== undefined) {
        await serveHome(root);
    }
    process.stdout.write("serving\n");
})();
