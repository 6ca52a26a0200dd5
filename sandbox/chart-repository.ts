import { createHash } from "node:crypto";
import {
    createReadStream,
    existsSync,
    mkdirSync,
    readdirSync,
    readFileSync,
    renameSync,
    rmSync,
    statSync,
} from "node:fs";
import { basename, join } from "node:path";
import { releases, type UpstreamChart } from "../components/releases";
import { Failure } from "../lib/failure";
import { root } from "../lib/root";
import { run } from "../lib/run";
import { tool } from "../toolchain/tools";
import { chartModules, downloadChartModules, goModuleCharts } from "./charts/go-module-charts";
import { packageChart } from "./charts/package";
import { writeFileAtomically } from "./files";
import { type Closeable, serveOnLoopback } from "./http-server";
import { portInUse } from "./settings";

/** Stand-ins for charts that no Go module contains. */
const standIns = join(root, "sandbox/charts");

/** Milliseconds for an upstream repository to answer. */
const pullLimit = 20_000;

/** Written when the repository is complete: a hash of its inputs. */
const marker = "made-from";

/** Changes with any input of the packages. */
function fingerprint(): string {
    const hash = createHash("sha256").update(JSON.stringify(releases));
    const files = [
        ...["go.mod", "go.sum"].map((file) => join(chartModules, file)),
        ...readdirSync(standIns, { recursive: true, encoding: "utf8" })
            .sort()
            .map((entry) => join(standIns, entry)),
    ];
    for (const file of files.filter((each) => statSync(each).isFile())) {
        hash.update(basename(file)).update(readFileSync(file));
    }
    return hash.digest("hex");
}

/** Helm with separate folders, so that neither the user's repositories nor a full cache matter. */
function helmEnvironment(work: string): NodeJS.ProcessEnv {
    return {
        ...process.env,
        HELM_CACHE_HOME: join(work, "cache"),
        HELM_CONFIG_HOME: join(work, "config"),
        HELM_DATA_HOME: join(work, "data"),
    };
}

/** Downloads a chart from its upstream repository; false when that is unreachable. */
async function pull({ chart, repository, version }: UpstreamChart, work: string, destination: string) {
    const { exitCode } = await run(
        tool("helm4"),
        ["pull", chart, "--repo", repository, "--version", version, "--destination", destination],
        { env: helmEnvironment(join(work, `helm-${chart}`)), timeout: pullLimit },
    );
    return exitCode === 0;
}

async function make(work: string, destination: string): Promise<void> {
    const wanted: UpstreamChart[] = Object.values(releases);
    const pulled = await Promise.all(wanted.map((each) => pull(each, work, destination)));
    const missing = wanted.filter((_, index) => !pulled[index]);
    const inModules = missing.some(({ chart }) => goModuleCharts[chart]);
    const modules = inModules ? await downloadChartModules() : new Map<string, string>();
    for (const release of missing) {
        const inModule = goModuleCharts[release.chart];
        const source = inModule
            ? join(modules.get(inModule.module) ?? "", inModule.folder)
            : join(standIns, release.chart);
        if (!existsSync(join(source, "Chart.yaml"))) {
            throw new Failure(
                `the chart ${release.chart} cannot be downloaded from ${release.repository}, and ${source} does not contain it: ` +
                    "check the network, and rerun it",
            );
        }
        await packageChart(tool("helm4"), release, source, work, destination);
    }
    const { exitCode, output } = await run(tool("helm4"), ["repo", "index", destination]);
    if (exitCode !== 0) {
        throw new Failure(`the chart repository cannot be indexed: ${output.trim()}`);
    }
}

/**
 * Creates a Helm repository of every chart that the program installs, in a folder: downloaded if upstream's
 * repositories are reachable, else packaged from the Go modules that contain them, else from a stand-in. Does nothing
 * when the folder has them already.
 *
 * @throws Failure when a chart is not available from any source
 */
export async function prepareCharts(directory: string): Promise<void> {
    const madeFrom = fingerprint();
    const complete = join(directory, marker);
    if (existsSync(complete) && readFileSync(complete, "utf8") === madeFrom) {
        return;
    }
    const work = `${directory}.new`;
    rmSync(work, { recursive: true, force: true });
    const result = join(work, "result");
    mkdirSync(result, { recursive: true });
    try {
        await make(work, result);
        writeFileAtomically(join(result, marker), madeFrom);
        rmSync(directory, { recursive: true, force: true });
        renameSync(result, directory);
    } finally {
        rmSync(work, { recursive: true, force: true });
    }
}

/**
 * Serves the folder of {@link prepareCharts} as a Helm repository, on loopback.
 *
 * @param health answers GET /healthz, by which a later start recognizes this server
 * @throws Failure when the port is in use
 */
export function serveChartRepository(port: number, directory: string, health: () => unknown): Promise<Closeable> {
    return serveOnLoopback(
        port,
        () => portInUse(port, "hearth:charts.repository"),
        (request, response) => {
            const name = new URL(request.url ?? "/", "http://127.0.0.1").pathname.slice(1);
            if (name === "healthz") {
                response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(health()));
                return;
            }
            const served = existsSync(directory) && readdirSync(directory).includes(name) && name !== marker;
            if (!served) {
                response.writeHead(404).end("The sandbox's chart repository has no such file.\n");
                return;
            }
            const type = name.endsWith(".tgz") ? "application/gzip" : "text/yaml";
            response.writeHead(200, { "content-type": type });
            createReadStream(join(directory, name)).pipe(response);
        },
    );
}
