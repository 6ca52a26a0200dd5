import { readFileSync } from "node:fs";
import { recipes } from "../../../sandbox/images/recipes";
import { containers } from "../../charts/manifest";
import { charts, parseManifests } from "../../charts/workspace";

test("docs/images.md says of each chart whether its images are made here", () => {
    const made = new Set(recipes.flatMap(({ repositories }) => repositories));
    const rows = charts.map((chart) => {
        const rendered = parseManifests(readFileSync(`test/charts/golden/${chart}.yaml`, "utf8"));
        const images = containers(rendered)
            .filter(({ stays }) => stays)
            .map(({ container }) => made.has((container.image ?? "").replace(/:[^/]*$/, "")));
        const some = images.includes(true) && chart !== "pangolin";
        const state =
            images.length === 0 ? "none" : !some ? "rendered only" : images.includes(false) ? "made in part" : "made";
        return `\`${chart}\` | ${state}`;
    });
    const table = readFileSync("docs/images.md", "utf8").matchAll(/^\| (`.*?) \|(?: [^|]*)\|$/gm);
    expect([...table].map(([, row]) => row)).toEqual(rows);
});
