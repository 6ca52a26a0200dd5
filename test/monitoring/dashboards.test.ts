import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { Workspace } from "../charts/workspace";
import { type Configs, filesOf, renderConfigs, rulesOf } from "./chart";
import { mistakesIn } from "./dashboard-schema";
import { type Dashboard, dashboardsOf } from "./dashboards";
import { type Exporters, metricsIn, readExporters } from "./metrics";
import { runTool } from "./program";

jest.setTimeout(120_000);

const directory = mkdtempSync(join(tmpdir(), "hearth-dashboards-"));

let configs: Configs;
let dashboards: Dashboard[];
let exporters: Exporters;

/** Every query of a dashboard to Prometheus, and every rule's expression. */
function expressions(): string[] {
    const targets = dashboards.flatMap(({ panels }) => panels.flatMap((panel) => panel.targets));
    return [
        ...targets.filter(({ datasource }) => datasource.type === "prometheus").map(({ expr }) => expr),
        ...rulesOf(configs).map(({ expr }) => expr),
    ];
}

beforeAll(async () => {
    configs = await renderConfigs();
    dashboards = dashboardsOf(configs);
    exporters = readExporters();
});

afterAll(() => rmSync(directory, { recursive: true }));

test("every part of the home has a dashboard, named as its file", () => {
    expect(Object.keys(filesOf(configs, "dashboards")).sort()).toEqual(
        ["argocd", "arr", "backups", "edge", "home", "nodes", "postgresql", "storage"].map((name) => `${name}.json`),
    );
    expect(dashboards.map(({ uid }) => `${uid}.json`)).toEqual(Object.keys(filesOf(configs, "dashboards")));
});

test("every panel has a title, a type that Grafana ships, and queries to an existing data source", () => {
    const { datasources } = parse(filesOf(configs, "grafana")["datasources.yaml"] ?? "") as {
        datasources: { type: string; uid: string }[];
    };
    const known = datasources.map(({ type, uid }) => ({ type, uid }));

    for (const { uid, schemaVersion, panels } of dashboards) {
        expect(schemaVersion).toBeGreaterThan(36);
        expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
        for (const panel of panels) {
            expect({ uid, ...panel }).toMatchObject({
                title: expect.stringMatching(/^\S.*\S$/),
                type: expect.stringMatching(/^(stat|timeseries|table|logs)$/),
            });
            expect(panel.targets.length).toBeGreaterThan(0);
            for (const { expr, refId, datasource } of panel.targets) {
                expect(expr).not.toBe("");
                expect(refId).toMatch(/^[A-H]$/);
                expect(known).toContainEqual(datasource);
                expect(datasource).toEqual(panel.datasource);
            }
        }
    }
});

test("Grafana's own types accept every dashboard, and reject a broken one", () => {
    const files = filesOf(configs, "dashboards");
    const misspelt = files["home.json"]?.replace('"legendFormat"', '"legend"') ?? "";

    expect(mistakesIn(files)).toEqual([]);
    expect(mistakesIn({ misspelt })).toEqual([expect.stringContaining(`'"legend"' does not exist in type`)]);
});

test("panels neither overlap nor exceed the grid", () => {
    for (const { uid, panels } of dashboards) {
        const taken = new Set<string>();
        for (const { title, gridPos } of panels) {
            expect({ uid, title, right: gridPos.x + gridPos.w <= 24 }).toEqual({ uid, title, right: true });
            for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
                for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
                    expect({ uid, title, taken: taken.has(`${x} ${y}`) }).toEqual({ uid, title, taken: false });
                    taken.add(`${x} ${y}`);
                }
            }
        }
    }
});

test("Prometheus parses every query", async () => {
    const rules = expressions().map((expr, index) => ({ record: `query:${index}`, expr }));
    const file = join(directory, "queries.yaml");
    writeFileSync(file, stringify({ groups: [{ name: "queries", rules }] }));

    expect(rules.length).toBeGreaterThan(80);
    expect(await runTool("promtool", "check", "rules", "--lint=none", file)).toEqual({
        code: 0,
        output: expect.stringContaining(`SUCCESS: ${rules.length} rules found`),
    });
});

test("every query uses metrics that a rule records or that metrics.yaml lists for an exporter", () => {
    const known = new Set([
        // Prometheus' own, of its alerts.
        "ALERTS",
        ...rulesOf(configs).flatMap(({ record }) => record ?? []),
        ...Object.values(exporters).flatMap(({ metrics }) => metrics),
    ]);
    const used = new Set(expressions().flatMap(metricsIn));

    expect([...used].filter((metric) => !known.has(metric))).toEqual([]);
    expect(
        Object.values(exporters)
            .flatMap(({ metrics }) => metrics)
            .filter((metric) => !used.has(metric)),
    ).toEqual([]);
});

test("metrics.yaml states a source for every exporter", () => {
    for (const [exporter, { test: where, source }] of Object.entries(exporters)) {
        expect({ exporter, known: (where === undefined) !== (source === undefined) }).toEqual({
            exporter,
            known: true,
        });
        if (where) {
            const text = readFileSync(resolve(__dirname, "..", `${where}.test.ts`), "utf8");
            expect({ exporter, asked: /missingIn\(.+, "|readExporters\(/.test(text) }).toEqual({
                exporter,
                asked: true,
            });
        }
    }
});

test("rules and dashboards use only metrics that a filtered scrape job keeps", () => {
    const { scrape_configs: jobs } = parse(filesOf(configs, "prometheus")["prometheus.yaml"] ?? "") as {
        scrape_configs: { job_name: string; metric_relabel_configs?: { action: string; regex: string }[] }[];
    };
    for (const [job, exporter] of [
        ["apiserver", "kube-apiserver"],
        ["kubelet", "kubelet"],
        ["cadvisor", "cadvisor"],
    ] as const) {
        const kept = jobs
            .find(({ job_name: name }) => name === job)
            ?.metric_relabel_configs?.find(({ action }) => action === "keep")?.regex;
        const metrics = exporters[exporter]?.metrics ?? [];

        expect(metrics.length).toBeGreaterThan(0);
        expect(metrics.filter((metric) => !new RegExp(`^(?:${kept})$`).test(metric))).toEqual([]);
    }
});

test("a dashboard with invalid YAML is an error that names the file", async () => {
    const workspace = new Workspace("helm4");
    workspace.write("monitoring/config/dashboards/broken.yaml", "title: { a: b{ }\n");
    try {
        await expect(workspace.render("monitoring")).rejects.toThrow(
            /chart monitoring: config\/dashboards\/broken\.yaml is not valid YAML/,
        );
    } finally {
        workspace.remove();
    }
});
