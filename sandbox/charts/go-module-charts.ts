import { join } from "node:path";
import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { run } from "../../lib/run";

/** The folder of the go.mod that pins the modules. */
export const chartModules = join(root, "toolchain/charts");

/** Charts that upstream keeps in a Go module: the module, and the chart's folder in it. */
export const goModuleCharts: Readonly<Record<string, { readonly module: string; readonly folder: string }>> = {
    metallb: { module: "go.universe.tf/metallb", folder: "charts/metallb" },
    "cert-manager": { module: "github.com/cert-manager/cert-manager", folder: "deploy/charts/cert-manager" },
    descheduler: { module: "sigs.k8s.io/descheduler", folder: "charts/descheduler" },
    "argo-cd": { module: "github.com/argoproj/argo-helm", folder: "charts/argo-cd" },
};

interface DownloadedModule {
    readonly Path: string;
    readonly Dir?: string;
    readonly Error?: string;
}

/** Parses the output of `go mod download -json`: one JSON object after the other, between other lines. */
export function parseDownloads(output: string): DownloadedModule[] {
    return [...output.matchAll(/^\{$.*?^\}$/gms)].map(([text]) => JSON.parse(text));
}

/**
 * Downloads the modules that contain charts, verified against Go's checksum database.
 *
 * @returns the folder of each module, by its path
 * @throws Failure when one is not available
 */
export async function downloadChartModules(): Promise<Map<string, string>> {
    const { exitCode, output } = await run("go", ["mod", "download", "-json"], {
        cwd: chartModules,
        env: { ...process.env, GOFLAGS: "", GOWORK: "off" },
    });
    const modules = parseDownloads(output);
    const failed = modules.filter((each) => each.Error || !each.Dir);
    if (exitCode !== 0 || failed.length > 0) {
        const reasons = failed.map((each) => `${each.Path}: ${each.Error}`);
        throw new Failure(
            [
                "neither the upstream Helm repositories nor the Go modules with the charts can be reached:",
                ...(reasons.length > 0 ? reasons : [output.trim()]),
                "Check the network and `go env GOPROXY`, and rerun it.",
            ].join("\n"),
        );
    }
    return new Map(modules.map(({ Path, Dir = "" }) => [Path, Dir]));
}
