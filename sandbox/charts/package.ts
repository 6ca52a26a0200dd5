import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseDocument, stringify, YAMLSeq } from "yaml";
import type { UpstreamChart } from "../../components/releases";
import { Failure } from "../../lib/failure";
import { run } from "../../lib/run";

interface Dependency {
    readonly name: string;
    readonly repository?: string;
}

/** Copies a folder's content; the copies are writable, whatever the original's permissions. */
function copyWritable(from: string, to: string): void {
    mkdirSync(to, { recursive: true });
    for (const entry of readdirSync(from)) {
        const source = join(from, entry);
        if (statSync(source).isDirectory()) {
            copyWritable(source, join(to, entry));
        } else {
            writeFileSync(join(to, entry), readFileSync(source));
        }
    }
}

/**
 * Removes dependencies that are not in the chart's folder from a Chart.yaml: Helm does not package a chart that lists
 * one.
 *
 * @param text content of Chart.yaml
 * @param vendored contents of the chart's folder `charts`
 */
export function withoutMissingDependencies(text: string, vendored: readonly string[]): string {
    const document = parseDocument(text);
    const dependencies = document.get("dependencies");
    if (!(dependencies instanceof YAMLSeq)) {
        return text;
    }
    const present = (document.toJS().dependencies as Dependency[]).map(({ name }) =>
        vendored.some((entry) => entry === name || (entry.startsWith(`${name}-`) && entry.endsWith(".tgz"))),
    );
    dependencies.items = dependencies.items.filter((_, index) => present[index]);
    if (dependencies.items.length === 0) {
        document.delete("dependencies");
    }
    return document.toString();
}

/**
 * Packages a chart's folder like its release: upstream's build writes the version into a Chart.yaml that holds v0.0.0.
 *
 * @param helm path of Helm
 * @param source the chart's folder, which stays unchanged
 * @param work a folder for the copy
 * @param destination folder for the package
 * @throws Failure when the folder holds another version than the pinned one, or Helm rejects it
 */
export async function packageChart(
    helm: string,
    { chart, version }: UpstreamChart,
    source: string,
    work: string,
    destination: string,
): Promise<void> {
    const copy = join(work, chart);
    copyWritable(source, copy);
    const metadata = join(copy, "Chart.yaml");
    const vendored = existsSync(join(copy, "charts")) ? readdirSync(join(copy, "charts")) : [];
    const text = withoutMissingDependencies(readFileSync(metadata, "utf8"), vendored);
    const found: { version: string; appVersion?: string } = parse(text);
    const unreleased = found.version === "v0.0.0";
    if (!unreleased && found.version !== version) {
        throw new Failure(
            `${source} holds ${chart} ${found.version}, but components/releases.ts pins ${version}: ` +
                "set the same version in both, and in toolchain/charts/go.mod",
        );
    }
    const released = unreleased ? stringify({ ...parse(text), version, appVersion: version }) : text;
    writeFileSync(metadata, released);
    const { exitCode, output } = await run(helm, ["package", copy, "--destination", destination]);
    if (exitCode !== 0) {
        throw new Failure(`${chart} ${version} cannot be packaged: ${output.trim()}`);
    }
}
