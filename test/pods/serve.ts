// Serves images in a test's network, which leads nowhere else. Its argument is a file with their manifests.
import { readFileSync } from "node:fs";
import { type Images, serveImages } from "../../sandbox/images/registry";
import { address, port } from "./addresses";

void (async () => {
    const images: Images = new Map(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")));
    await serveImages(images, address, port);
    process.stdout.write("serving\n");
})();
