import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

/** The metrics of one exporter that rules and dashboards use. */
export interface Exporter {
    /** The test, under test/, that checks them in the program itself. */
    readonly test?: string;
    /** Source of the names, for an exporter that does not run in the tests. */
    readonly source?: string;
    readonly metrics: readonly string[];
}

/** Every exporter by its name. */
export type Exporters = Readonly<Record<string, Exporter>>;

/** The exporters of metrics.yaml. */
export function readExporters(): Exporters {
    return parse(readFileSync(join(__dirname, "metrics.yaml"), "utf8")) as Exporters;
}

/**
 * Metrics that rules and dashboards use of an exporter, and that it does not expose.
 *
 * @param text its answer, in Prometheus' format
 */
export function missingIn(text: string, exporter: string): string[] {
    const { metrics = [] } = readExporters()[exporter] ?? {};
    return metrics.filter((metric) => !new RegExp(`^${metric}[{ ]`, "m").test(text));
}

const words = /[a-zA-Z_:][a-zA-Z0-9_:]*/g;
const keywords = new Set(["and", "or", "unless", "bool", "offset"]);

/** The names of the metrics in an expression of PromQL. */
export function metricsIn(expression: string): string[] {
    const bare = expression
        .replaceAll(/"[^"]*"|'[^']*'/g, "")
        .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, "")
        // Removes labels, then functions; the rest are metrics.
        .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*(\([^)]*\))?/g, "")
        .replaceAll(/\b\w+\s*\(/g, "(")
        .replaceAll(/\b\d[\w.]*\b/g, "");
    return [...new Set(bare.match(words) ?? [])].filter((word) => !keywords.has(word));
}
