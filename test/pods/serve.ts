// Serves images in a test's isolated network. Its argument is a file with their manifests.
import { readFileSync } from "node:fs";
import { type Images, serveImages } from "../../sandbox/images/registry";
import { address, ports } from "./addresses";

void (async () => {
    const images: Images = new Map(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")));
    await serveImages(images, address, ports.images);
    process.stdout.write("serving\n");
})();
