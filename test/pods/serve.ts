// Serves the images of k3s in a test's network, which leads nowhere else.
import { makeImages } from "../../sandbox/images/make";
import { recipes } from "../../sandbox/images/recipes";
import { serveImages } from "../../sandbox/images/registry";
import { address, port } from "./addresses";

void (async () => {
    const ofK3s = recipes.filter(({ repositories }) =>
        repositories.some((each) => each.startsWith("docker.io/rancher/")),
    );
    await serveImages(await makeImages(ofK3s), address, port);
    process.stdout.write("serving\n");
})();
