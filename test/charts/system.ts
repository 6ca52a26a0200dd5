import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readApplications } from "../../components/applications";
import { releases as upstream } from "../../components/releases";
import { System } from "../../components/system";
import { parseSettings, type Settings } from "../../config/settings";
import { run } from "../../lib/run";
import { downloadChartModules, goModuleCharts } from "../../sandbox/charts/go-module-charts";
import { packageChart } from "../../sandbox/charts/package";
import { tool } from "../../toolchain/tools";
import { byType, mockEngine, settled } from "../unit/components/mocks";
import type { Manifest } from "./manifest";
import { parseManifests } from "./workspace";

/** The program's releases, as Pulumi passes them to Helm, by name. */
async function releases(profile: Settings["profile"]): Promise<Record<string, Record<string, unknown>>> {
    const registered = await mockEngine();
    new System("system", {
        settings: parseSettings({
            stack: "test",
            values: {
                domain: "home.arpa",
                kubeconfig: "/dev/null",
                repository: '{"url":"https://git.home.arpa/hearth/hearth.git"}',
                loadBalancer: '{"addresses":["10.0.0.1-10.0.0.9"]}',
                nfs: '{"server":"nas","path":"/export"}',
                profile,
            },
            secretKeys: new Set(),
        }),
        kubeconfig: "/dev/null",
        applications: readApplications(".", "home"),
    });
    await settled();
    return byType(registered, "kubernetes:helm.sh/v3:Release");
}

/** Objects of the five system releases, rendered from the upstream charts with the program's values. */
export async function renderSystem(profile: Settings["profile"] = "standard"): Promise<Manifest[]> {
    const directory = mkdtempSync(join(tmpdir(), "hearth-system-"));
    try {
        // Always from the Go modules, which the tables describe.
        const modules = await downloadChartModules();
        for (const release of Object.values(upstream)) {
            const inModule = goModuleCharts[release.chart];
            const source = inModule
                ? join(modules.get(inModule.module) ?? "", inModule.folder)
                : join("sandbox/charts", release.chart);
            await packageChart(tool("helm3"), release, source, join(directory, "work"), directory);
        }
        const rendered: Manifest[] = [];
        for (const { name, namespace, chart, version, values } of Object.values(await releases(profile))) {
            const given = join(directory, `${name}.json`);
            writeFileSync(given, JSON.stringify(values));
            const { exitCode, output } = await run(tool("helm3"), [
                ...[
                    "template",
                    String(name),
                    join(directory, `${chart}-${version}.tgz`),
                    "--namespace",
                    String(namespace),
                ],
                ...["--values", given, "--include-crds"],
            ]);
            if (exitCode !== 0) {
                throw new Error(`${chart} does not render: ${output}`);
            }
            rendered.push(
                ...parseManifests(output).map((each) => ({
                    ...each,
                    metadata: { namespace: String(namespace), ...each.metadata },
                })),
            );
        }
        return rendered;
    } finally {
        rmSync(directory, { recursive: true });
    }
}
