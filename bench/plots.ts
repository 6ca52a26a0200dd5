import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { results } from "./record";

/** Draws the plot of docs/performance.md from bench/results: `npx tsx bench/plots.ts`. */
const docs = resolve(__dirname, "../docs");

const width = 760;
const margin = { left: 150, right: 90, top: 34 };
const colors = ["#8d99ae", "#2a9d8f", "#e9c46a", "#f4a261", "#e76f51"];

const text = (x: number, y: number, content: string, anchor = "start") =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${content}</text>`;

function picture(title: string, height: number, content: readonly string[]): string {
    return `${[
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="sans-serif" font-size="13" fill="#222">`,
        `<title>${title}</title>`,
        `<rect width="${width}" height="${height}" fill="#fff"/>`,
        text(12, 20, title),
        ...content,
        "</svg>",
    ].join("\n")}\n`;
}

/** A series of a plot: what it is called, and its values. */
interface Series {
    readonly name: string;
    readonly values: readonly number[];
}

/** Names of series beside their colors, in a row. */
function legend(names: readonly string[], y: number): string[] {
    const step = (width - margin.left) / names.length;
    return names.flatMap((name, index) => {
        const x = margin.left + index * step;
        return [
            `<rect x="${x.toFixed(1)}" y="${y - 10}" width="11" height="11" fill="${colors[index]}"/>`,
            text(x + 16, y, name),
        ];
    });
}

/** Horizontal bars, each made of the series' values for one label. */
function bars(title: string, labels: readonly string[], series: readonly Series[]): string {
    const totals = labels.map((_, row) => series.reduce((sum, { values }) => sum + (values[row] ?? 0), 0));
    const scale = (width - margin.left - margin.right) / Math.max(...totals);
    const rows = labels.flatMap((label, row) => {
        const y = margin.top + row * 34;
        let x = margin.left;
        const parts = series.map(({ values }, index) => {
            const length = (values[row] ?? 0) * scale;
            const part = `<rect x="${x.toFixed(1)}" y="${y}" width="${length.toFixed(1)}" height="22" fill="${colors[index]}"/>`;
            x += length;
            return part;
        });
        return [
            text(margin.left - 8, y + 16, label, "end"),
            ...parts,
            text(x + 6, y + 16, `${totals[row]?.toFixed(0)} s`),
        ];
    });
    const height = margin.top + labels.length * 34 + 30;
    return picture(title, height, [
        ...rows,
        ...legend(
            series.map(({ name }) => name),
            height - 12,
        ),
    ]);
}

function bootstrap(): string {
    const { date, machine, measured } = JSON.parse(readFileSync(join(results, "bootstrap.json"), "utf8"));
    const parts = ["below the tiers", "tier 1", "tier 2", "tier 3", "the rest"];
    const spans: number[][] = measured.map(
        ({ seconds, parts: ends }: { seconds: number; parts: Record<string, number> }) => {
            let before = 0;
            return parts.map((part) => {
                const end = part === "the rest" ? seconds : (ends[part] ?? before);
                const span = end - before;
                before = end;
                return span;
            });
        },
    );
    const series = parts.map((name, index) => ({ name, values: spans.map((row) => row[index] ?? 0) }));
    const labels = measured.map(({ way }: { way: string }) => way);
    return bars(`From an empty cluster to 27 services, seconds (${machine}, ${date})`, labels, series);
}

writeFileSync(join(docs, "performance-bootstrap.svg"), bootstrap());
