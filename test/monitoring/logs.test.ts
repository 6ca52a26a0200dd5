import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../sandbox/ports";
import { type Configs, filesOf, renderConfigs, writeFiles } from "./chart";
import { Daemon } from "./daemon";
import { type Dashboard, dashboardsOf } from "./dashboards";
import { eventually } from "./eventually";
import { exportersOf } from "./metrics";
import { runTool } from "./program";

jest.setTimeout(120_000);

const directory = mkdtempSync(join(tmpdir(), "hearth-loki-"));

let configs: Configs;
let dashboards: Dashboard[];

beforeAll(async () => {
    configs = await renderConfigs();
    dashboards = dashboardsOf(configs);
});

afterAll(() => rmSync(directory, { recursive: true }));

test("Loki reads its configuration, and keeps logs for as long as the values say", async () => {
    const [file = ""] = writeFiles(configs, "loki", join(directory, "rendered"));
    const [longer = ""] = writeFiles(await renderConfigs("--set=retention.logs=90d"), "loki", join(directory, "90d"));

    for (const each of [file, longer]) {
        expect(await runTool("loki", "-verify-config", `-config.file=${each}`)).toMatchObject({ code: 0 });
    }
    expect(readFileSync(file, "utf8")).toContain("retention_period: 30d");
    expect(readFileSync(longer, "utf8")).toContain("retention_period: 90d");
});

describe("Loki itself, with the chart's configuration", () => {
    let loki: Daemon | undefined;
    let url: string;

    beforeAll(async () => {
        const { port, grpc } = await freePorts("port", "grpc");
        const data = join(directory, "data");
        mkdirSync(data);
        const file = join(directory, "loki.yaml");
        const text = filesOf(configs, "loki")["loki.yaml"] ?? "";
        // Its folder and its ports are other ones here.
        writeFileSync(
            file,
            text
                .replaceAll("/loki", data)
                .replace("http_listen_port: 3100", `http_listen_port: ${port}\n  grpc_listen_port: ${grpc}`)
                .replace("server:", "server:\n  http_listen_address: 127.0.0.1\n  grpc_listen_address: 127.0.0.1"),
        );
        url = `http://127.0.0.1:${port}`;
        loki = await Daemon.start("loki", [`-config.file=${file}`], directory, `${url}/ready`);
    });

    afterAll(async () => loki?.stop());

    test("takes a line as Alloy sends it, and gives it back", async () => {
        const line = { stream: { namespace: "arr", pod: "sonarr", container: "sonarr" } };
        const pushed = await fetch(`${url}/loki/api/v1/push`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ streams: [{ ...line, values: [[`${Date.now()}000000`, "Warn: no space left"]] }] }),
        });

        expect(pushed.status).toBe(204);
        const query = ["query", `--addr=${url}`, "--quiet", "--output=raw", '{namespace="arr"} |~ "Warn"'];
        await eventually("the line is found", async () =>
            (await runTool("logcli", ...query)).output.includes("no space left"),
        );
    });

    test("tells the metrics that rules ask of it", async () => {
        const text = await (await fetch(`${url}/metrics`)).text();
        const { loki: exporter } = exportersOf(readFileSync(join(__dirname, "metrics.yaml"), "utf8"));

        expect(exporter?.metrics.filter((metric) => !text.includes(`\n${metric}{`))).toEqual([]);
    });

    test("understands every query of the dashboards", async () => {
        const queries = dashboards.flatMap(({ panels }) =>
            panels.filter(({ type }) => type === "logs").flatMap(({ targets }) => targets.map(({ expr }) => expr)),
        );

        expect(queries.length).toBeGreaterThan(5);
        for (const query of queries) {
            const { code, output } = await runTool("logcli", "query", `--addr=${url}`, "--quiet", query);
            expect({ query, code, output }).toMatchObject({ query, code: 0 });
        }
    });
});

describe("Alloy's configuration", () => {
    const references = /\b((?:loki|discovery|local)\.[a-z_.]+\.[a-z]+)\.(?:receiver|output|targets|rules)\b/g;
    // The blocks of Alloy's language: their name, and what they refer to.
    const blocks = /^((?:loki|discovery|local)\.[a-z_.]+) "([a-z]+)" \{$/gm;

    test.each(["config.alloy", "events.alloy"])(
        "%s refers to blocks that it has, and sends to the home's Loki",
        (file) => {
            const text = filesOf(configs, "alloy")[file] ?? "";
            const defined = [...text.matchAll(blocks)].map(([, component, label]) => `${component}.${label}`);
            const used = [...text.matchAll(references)].map(([, reference]) => reference);

            expect(defined.length).toBeGreaterThan(1);
            expect(used.filter((each) => !defined.includes(each ?? ""))).toEqual([]);
            expect(text).toContain('url = "http://loki:3100/loki/api/v1/push"');
            expect([...text].filter((each) => each === "{").length).toBe(
                [...text].filter((each) => each === "}").length,
            );
        },
    );

    test("collects the logs of pods and nodes on each node, and events once", () => {
        const { "config.alloy": node = "", "events.alloy": events = "" } = filesOf(configs, "alloy");

        expect(node).toContain("loki.source.file");
        expect(node).toContain("loki.source.journal");
        expect(node).not.toContain("loki.source.kubernetes_events");
        expect(events).toContain("loki.source.kubernetes_events");
    });
});
