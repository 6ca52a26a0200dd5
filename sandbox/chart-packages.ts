import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { releases, type UpstreamChart } from "../components/releases";
import { Failure } from "../toolchain/failure";
import { run } from "../toolchain/run";
import { tool } from "../toolchain/tools";

/** How long one upstream repository may take, in milliseconds, before its chart is made from its Go module. */
const upstreamLimit = 30_000;

const modules = resolve(__dirname, "../toolchain/charts");

/** Where a chart's sources are in its Go module; undefined for our own stand-in. */
const sources: Record<keyof typeof releases, { module: string; path: string } | undefined> = {
    metallb: { module: "go.universe.tf/metallb", path: "charts/metallb" },
    certManager: { module: "github.com/cert-manager/cert-manager", path: "deploy/charts/cert-manager" },
    descheduler: { module: "sigs.k8s.io/descheduler", path: "charts/descheduler" },
    argocd: { module: "github.com/argoproj/argo-helm", path: "charts/argo-cd" },
    nfsCsi: undefined,
};

/** Changes when what {@link prepareCharts} makes would change. */
function fingerprint(): string {
    const hash = createHash("sha256").update(JSON.stringify(releases)).update(readFileSync(__filename));
    return hash.update(readFileSync(join(modules, "go.sum"))).digest("hex");
}

async function helm(...args: string[]): Promise<void> {
    const { exitCode, output } = await run(tool("helm"), args);
    if (exitCode !== 0) {
        throw new Failure(`helm ${args.join(" ")} failed:\n${output}`);
    }
}

async function pull({ chart, repository, version }: UpstreamChart, directory: string): Promise<boolean> {
    const args = ["pull", chart, "--repo", repository, "--version", version, "--destination", directory];
    return (await run(tool("helm"), args, { timeout: upstreamLimit })).exitCode === 0;
}

async function moduleDirectory(module: string): Promise<string> {
    const { exitCode, output } = await run("go", ["mod", "download", "-json", module], { cwd: modules });
    const found = exitCode === 0 ? JSON.parse(output.slice(output.indexOf("{"))) : undefined;
    if (!found?.Dir) {
        throw new Failure(
            `neither the Helm repository of a chart nor its Go module ${module} can be had. Check this machine's ` +
                `network, or put the packaged chart's repository into hearth:charts.\n${output}`,
        );
    }
    return found.Dir;
}

/** Helm refuses a chart that lists a dependency which is not there, though a condition switches it off. */
function dropAbsentDependencies(chart: string): void {
    const file = join(chart, "Chart.yaml");
    const metadata = parse(readFileSync(file, "utf8"));
    const isThere = ({ name, version }: { name: string; version: string }) =>
        existsSync(join(chart, "charts", name)) || existsSync(join(chart, "charts", `${name}-${version}.tgz`));
    const dependencies = (metadata.dependencies ?? []).filter(isThere);
    writeFileSync(file, stringify({ ...metadata, dependencies }));
}

async function packageFromSources(name: keyof typeof releases, directory: string): Promise<void> {
    const { chart, version } = releases[name];
    const source = sources[name];
    const origin = source ? join(await moduleDirectory(source.module), source.path) : join(__dirname, "charts", chart);
    const copy = join(directory, "sources", chart);
    cpSync(origin, copy, { recursive: true });
    await run("chmod", ["-R", "u+w", copy]); // Go's module cache is read-only
    dropAbsentDependencies(copy);
    // A module's chart has no version before its release is made.
    const appVersion = name === "certManager" ? ["--app-version", version] : [];
    await helm("package", copy, "--version", version, ...appVersion, "--destination", directory);
}

/**
 * Fills a folder with the packages of the upstream charts at the versions of components/releases.ts, and their index:
 * from their own Helm repositories, or, where those cannot be reached, from the Go modules that carry the same charts.
 * Does nothing when they are there.
 *
 * @throws Failure when a chart can be had in neither way
 */
export async function prepareCharts(directory: string): Promise<void> {
    const marker = join(directory, "fingerprint");
    if (existsSync(marker) && readFileSync(marker, "utf8") === fingerprint()) {
        return;
    }
    mkdirSync(dirname(directory), { recursive: true });
    const work = mkdtempSync(`${directory}-`);
    try {
        let reachable = true;
        for (const name of Object.keys(releases) as (keyof typeof releases)[]) {
            reachable = reachable && (await pull(releases[name], work));
            if (!reachable) {
                await packageFromSources(name, work);
            }
        }
        rmSync(join(work, "sources"), { recursive: true, force: true });
        await helm("repo", "index", work);
        writeFileSync(join(work, "fingerprint"), fingerprint());
        rmSync(directory, { recursive: true, force: true });
        renameSync(work, directory);
    } finally {
        rmSync(work, { recursive: true, force: true });
    }
}
