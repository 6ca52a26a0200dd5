import { readFileSync } from "node:fs";
import { charts } from "../../charts/workspace";
import { running } from "../../pods/applications";

test("docs/pods.md states for each service if it runs in the home of real pods, or the reason why not", () => {
    const table = readFileSync("docs/pods.md", "utf8").matchAll(/^\| `(.*?)` \| (runs|rendered only) \| ?(.*?) ?\|$/gm);
    const rows = [...table].map(([, chart = "", state = "", why = ""]) => ({ chart, state, why }));

    expect(rows.map(({ chart }) => chart)).toEqual([...charts].sort());
    for (const { chart, state, why } of rows) {
        expect([chart, state]).toEqual([chart, running.includes(chart) ? "runs" : "rendered only"]);
        expect([chart, state === "runs" || why !== ""]).toEqual([chart, true]);
    }
});
