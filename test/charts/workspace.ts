import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { tool } from "../../toolchain/tools";
import type { Manifest } from "./manifest";

const run = promisify(execFile);

/** The folder charts/ of the checkout. */
export const chartsDirectory = resolve(__dirname, "../../charts");

/** Every chart that is an Application: all but the library. */
export const charts = readdirSync(chartsDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "common")
    .map((entry) => entry.name);

/** Realistic example values: global.yaml for every chart, and <chart>.yaml for its own settings. */
export const examplesDirectory = join(__dirname, "examples");

/** Helm's arguments for a chart's example of real use. */
export function exampleOf(chart: string): string[] {
    return ["global", chart]
        .map((name) => join(examplesDirectory, `${name}.yaml`))
        .filter((path) => existsSync(path))
        .flatMap((path) => ["--values", path]);
}

/** Pulumi installs with Helm 3, Argo CD renders with Helm 4: every chart has to mean the same to both. */
export const helms = ["helm3", "helm4"] as const;

/** One of the two Helms, by the toolchain's name. */
export type Helm = (typeof helms)[number];

/** Runs `work` over `items`, as many at a time as there are processors. */
export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const queue = [...items];
    const worker = async () => {
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
            await work(item);
        }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** A writable copy of charts/, and the Helm that renders it. */
export class Workspace {
    private readonly directory = mkdtempSync(join(tmpdir(), "hearth-charts-"));

    /** @param helm which Helm renders */
    constructor(private readonly helm: Helm) {
        cpSync(chartsDirectory, this.directory, { recursive: true, verbatimSymlinks: true });
    }

    /**
     * The output of `helm template`, with the release and the namespace that Argo CD uses.
     *
     * @param chart name of the chart
     * @param values files and texts of values, in the order in which Helm merges them
     * @throws when Helm fails, with its output
     */
    async template(chart: string, ...values: readonly string[]): Promise<string> {
        const path = join(this.directory, chart);
        const { stdout } = await this.call("template", chart, path, "--namespace", chart, ...values);
        return stdout;
    }

    /** The same as {@link render} with the chart's defaults, while nothing else runs. */
    renderSync(chart: string, ...values: readonly string[]): Manifest[] {
        const path = join(this.directory, chart);
        const args = ["template", chart, path, "--namespace", chart, ...values];
        return parseManifests(
            execFileSync(tool(this.helm), args, { ...this.options(), encoding: "utf8", stdio: "pipe" }),
        );
    }

    /** The objects that {@link template} renders. */
    async render(chart: string, ...values: readonly string[]): Promise<Manifest[]> {
        return parseManifests(await this.template(chart, ...values));
    }

    /** Writes a file of the copy; the path is relative to charts/. */
    write(file: string, content: string): void {
        writeFileSync(join(this.directory, file), content);
    }

    /** Path of a file in the copy. */
    path(file: string): string {
        return join(this.directory, file);
    }

    /** Deletes the copy. */
    remove(): void {
        rmSync(this.directory, { recursive: true, force: true });
    }

    private call(...parameters: string[]) {
        return run(tool(this.helm), parameters, this.options());
    }

    /** Helm without the user's own settings: no repository, no plugin, no cluster. */
    private options() {
        const home = join(this.directory, ".helm");
        return {
            env: {
                PATH: process.env["PATH"],
                HELM_CACHE_HOME: home,
                HELM_CONFIG_HOME: home,
                HELM_DATA_HOME: home,
                KUBECONFIG: join(home, "none"),
            },
            maxBuffer: 64 * 1024 * 1024,
        };
    }
}

/**
 * Objects of every chart as Argo CD renders it, for tests that are named after them: Jest needs these names
 * synchronously.
 *
 * @param values in addition to the chart's own
 */
export function renderedCharts(values: object = {}): ReadonlyMap<string, Manifest[]> {
    const workspace = new Workspace("helm4");
    try {
        workspace.write("given.json", JSON.stringify(values));
        const given = ["--values", workspace.path("given.json")];
        return new Map(charts.map((chart) => [chart, workspace.renderSync(chart, ...given)]));
    } finally {
        workspace.remove();
    }
}

/** The objects of a chart with its example of real use, which enables optional parts. */
export function renderedExample(chart: string): Manifest[] {
    const workspace = new Workspace("helm4");
    try {
        return workspace.renderSync(chart, ...exampleOf(chart));
    } finally {
        workspace.remove();
    }
}

/** The objects in a stream of YAML documents. */
export function parseManifests(text: string): Manifest[] {
    return parseAllDocuments(text)
        .map((document) => document.toJS() as Manifest | null)
        .filter((manifest) => manifest !== null);
}
