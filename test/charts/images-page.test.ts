import { readFileSync } from "node:fs";
import { recipes } from "../../sandbox/images/recipes";
import { reviewed } from "./golden";
import { containers } from "./manifest";
import { renderedCharts } from "./workspace";

test("docs/images.md states for each chart which of its images are built here", () => {
    const made = new Set(recipes.flatMap(({ repositories }) => repositories));
    const charts = [...renderedCharts()].filter(([chart]) => reviewed.has(chart));
    const rows = charts.map(([chart, manifests]) => {
        const images = containers(manifests)
            .filter(({ stays }) => stays)
            .map(({ container }) => made.has((container.image ?? "").replace(/:[^/]*$/, "")));
        const some = images.includes(true) && chart !== "pangolin";
        const state =
            images.length === 0 ? "none" : !some ? "rendered only" : images.includes(false) ? "made in part" : "made";
        return `\`${chart}\` | ${state}`;
    });
    const table = readFileSync("docs/images.md", "utf8").matchAll(/^\| (`.*?) \|(?: [^|]*)\|$/gm);
    const present = [...table].filter(([, row = ""]) => charts.some(([chart]) => row.startsWith(`\`${chart}\``)));
    expect(present.map(([, row]) => row)).toEqual(rows);
});
