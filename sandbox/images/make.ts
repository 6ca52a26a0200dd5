import { join } from "node:path";
import { withLock } from "../../lib/lock";
import { cacheDirectory } from "../../lib/paths";
import { type Recipe, recipes } from "./recipes";
import type { Images } from "./registry";
import { storeImage } from "./store";

/** Label with the version of the program in an image, which may differ from the chart's. */
export const versionLabel = "org.opencontainers.image.version";

/**
 * Builds images, or takes them from the cache.
 *
 * @param wanted default: every image that can be built here
 * @throws Failure when a program is missing, or a package cannot be downloaded
 */
export async function makeImages(wanted: readonly Recipe[] = recipes): Promise<Images> {
    const report = ({ pid }: { pid: number }) =>
        process.stderr.write(`Another process (${pid}) is making images; waiting for it.\n`);
    return withLock(join(cacheDirectory, "images.lock"), report, async () => {
        const images = new Map();
        for (const { repositories, config, contents } of wanted) {
            const { version, layers } = await contents();
            const manifest = await storeImage(layers, config, { [versionLabel]: version });
            for (const repository of repositories) {
                images.set(repository, manifest);
            }
        }
        return images;
    });
}
