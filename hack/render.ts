import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Application, valueFilePath } from "../components/applications";
import { type ClusterValues, type OverrideSettings, overriddenManifest } from "../components/overrides";
import { temporaryFolder } from "../lib/temporary-folder";
import { tool } from "../toolchain/tools";
import { capture } from "./capture";

/**
 * Manifests that Argo CD would apply for an Application if the checkout were the commit that it follows, as a stream of
 * YAML documents: rendered with Helm 4, as its repo server does, with the stack's values.
 *
 * @param root the checkout whose charts are rendered
 * @param cluster chart values that depend on it; the charts' defaults when it is unknown
 * @throws Failure with Helm's message
 */
export async function render(
    root: string,
    application: Application,
    settings: OverrideSettings,
    cluster?: ClusterValues,
): Promise<string> {
    const workspace = temporaryFolder();
    const helm = (...args: string[]) =>
        capture(tool("helm4"), args, {
            env: { PATH: process.env["PATH"], HOME: workspace, KUBECONFIG: join(workspace, "none") },
            failure: `charts/${application.name} does not render`,
        });
    try {
        const { sources } = overriddenManifest(application, settings, cluster).spec;
        const rendered = sources.map(async (source, index) => {
            const { releaseName, valueFiles = [], valuesObject = {} } = source.helm ?? {};
            const values = join(workspace, `values-${index}.json`);
            writeFileSync(values, JSON.stringify(valuesObject));
            const common = [
                ...["--namespace", application.namespace, "--include-crds"],
                ...valueFiles.flatMap((file) => [
                    "--values",
                    join(root, valueFilePath("path" in source ? source.path : "", file)),
                ]),
                ...["--values", values],
            ];
            const name = releaseName ?? application.name;
            if ("chart" in source) {
                const { chart, repoURL, targetRevision } = source;
                // Argo CD expects a registry of OCI charts without the scheme that Helm needs.
                const from = /^https?:/.test(repoURL) ? [chart, "--repo", repoURL] : [`oci://${repoURL}/${chart}`];
                return helm("template", name, ...from, "--version", targetRevision, ...common);
            }
            return helm("template", name, join(root, source.path), ...common);
        });
        return (await Promise.all(rendered)).join("");
    } finally {
        rmSync(workspace, { recursive: true, force: true });
    }
}
