import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { results } from "./record";
import type { Cost, Idle } from "./sandbox";

/** Draws the plots of docs/performance.md from bench/results: `npx tsx bench/plots.ts`. */
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

/** Fields of bench/growth.ts's results that the plot shows. */
interface Growth extends Readonly<Record<"preview" | "up" | "unchanged" | "refresh", Cost>> {
    readonly applications: number;
    readonly idle: Idle;
}

/** A series of a plot: its name and values. */
interface Series {
    readonly name: string;
    readonly values: readonly number[];
}

/** Legend: names of series next to their colors, in a row. */
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

/** A line for each series through its value at each x, from zero in both directions. */
function lines(title: string, x: readonly number[], unit: string, series: readonly Series[]): string {
    const plot = { left: 60, right: width - 150, top: 44, bottom: 300 };
    const most = Math.max(...series.flatMap(({ values }) => values));
    const atX = (value: number) => plot.left + ((plot.right - plot.left) * value) / Math.max(...x);
    const atY = (value: number) => plot.bottom - ((plot.bottom - plot.top) * value) / most;
    // Names are next to the ends of the lines, stacked where those are close.
    const ends = series.map(({ values }) => values.at(-1) ?? 0);
    const names = new Map<number, number>();
    for (const [value, index] of ends.map((end, at) => [end, at] as const).sort(([one], [other]) => one - other)) {
        names.set(index, Math.min(atY(value), ...[...names.values()].map((y) => y - 17)));
    }
    const drawn = series.flatMap(({ name, values }, index) => {
        const points = values.map((value, at) => `${atX(x[at] ?? 0).toFixed(1)},${atY(value).toFixed(1)}`);
        return [
            `<polyline points="${points.join(" ")}" fill="none" stroke="${colors[index]}" stroke-width="2"/>`,
            ...points.map((point) => {
                const [cx, cy] = point.split(",");
                return `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colors[index]}"/>`;
            }),
            text(plot.right + 10, (names.get(index) ?? 0) + 4, `${name} ${ends[index]?.toFixed(2)}`),
        ];
    });
    return picture(title, plot.bottom + 46, [
        `<path d="M${plot.left} ${plot.top}V${plot.bottom}H${plot.right}" fill="none" stroke="#222"/>`,
        text(plot.left - 8, plot.top + 5, most.toFixed(1), "end"),
        text(plot.left - 8, plot.bottom + 5, "0", "end"),
        ...x.map((value) => text(atX(value), plot.bottom + 18, String(value), "middle")),
        text((plot.left + plot.right) / 2, plot.bottom + 36, unit, "middle"),
        ...drawn,
    ]);
}

function growth(): string {
    const { date, machine, measured }: { date: string; machine: string; measured: readonly Growth[] } = JSON.parse(
        readFileSync(join(results, "growth.json"), "utf8"),
    );
    const perApplication = (name: string, of: (home: Growth) => number): Series => ({
        name,
        values: measured.map((home) => of(home) / home.applications),
    });
    return lines(
        `Processor seconds for each Application (${machine}, ${date})`,
        measured.map(({ applications }) => applications),
        "Applications",
        [
            perApplication("idle minute", ({ idle }) => idle.minutes.at(-1) ?? 0),
            perApplication("up, no change", ({ unchanged }) => unchanged.processorSeconds),
            perApplication("preview", ({ preview }) => preview.processorSeconds),
            perApplication("all reread", ({ refresh }) => refresh.processorSeconds),
            perApplication("first up", ({ up }) => up.processorSeconds),
        ],
    );
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
writeFileSync(join(docs, "performance-growth.svg"), growth());
