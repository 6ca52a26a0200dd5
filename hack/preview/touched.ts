import type { Application } from "../../components/applications";
import { generatePaths, resolvedPaths } from "../../components/generate-paths";

/**
 * Names of the Applications whose manifests a change may alter: those whose annotation manifest-generate-paths covers a
 * changed file, by which Argo CD decides which ones to render, and those whose own file changed, or all of them when
 * clusters/shared did.
 *
 * @param cluster name of a folder under clusters/
 * @param applications those before the change and those after it
 * @param changedFiles paths from the repository's top folder
 */
export function touchedApplications(
    cluster: string,
    applications: readonly Application[],
    changedFiles: readonly string[],
): string[] {
    const covers = (path: string) =>
        changedFiles.some((file) => path === "" || file === path || file.startsWith(`${path}/`));
    const touched = applications.filter(({ name, manifest }) => {
        const [source] = manifest.spec.sources;
        // Without the annotation, every commit counts.
        const paths = resolvedPaths(manifest.metadata.annotations[generatePaths] ?? "/", source.path);
        return ["clusters/shared", `clusters/${cluster}/apps/${name}.yaml`, ...paths].some(covers);
    });
    return [...new Set(touched.map(({ name }) => name))].sort();
}
