import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../sandbox/ports";
import { type Configs, filesOf, renderConfigs, writeFiles } from "./chart";
import { Daemon } from "./daemon";
import { type Dashboard, dashboardsOf } from "./dashboards";
import { eventually } from "./eventually";
import { missingIn } from "./metrics";
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
        expect(await runTool("loki", "-verify-config", `-config.file=${each}`)).toHaveEndedWith(0);
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

        expect(missingIn(text, "loki")).toEqual([]);
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

/** A block of Alloy's language. */
interface Block {
    readonly name: string;
    readonly label: string;
    readonly attributes: readonly string[];
    readonly blocks: readonly Block[];
}

/**
 * What may stand in each block that the chart uses: Alloy 1.18.1, the tags `alloy:"…"` of the types Arguments in
 * https://github.com/grafana/alloy/tree/v1.18.1/internal/component. Attributes that Alloy insists on have a star.
 */
const alloy: Readonly<Record<string, readonly string[]>> = {
    "discovery.kubernetes": ["role*", "selectors", "namespaces"],
    "discovery.kubernetes selectors": ["role*", "label", "field"],
    "discovery.relabel": ["targets*", "rule"],
    "discovery.relabel rule": [
        "source_labels",
        "separator",
        "regex",
        "replacement",
        "target_label",
        "action",
        "modulus",
    ],
    "local.file_match": ["path_targets*", "sync_period", "ignore_older_than"],
    "loki.source.file": ["targets*", "forward_to*", "encoding", "tail_from_end"],
    "loki.source.journal": ["forward_to*", "path", "max_age", "labels", "relabel_rules", "matches", "format_as_json"],
    "loki.source.kubernetes_events": ["forward_to*", "job_name", "namespaces", "log_format"],
    "loki.process": ["forward_to*", "stage.cri"],
    "loki.process stage.cri": [],
    "loki.relabel": ["forward_to*", "rule", "max_cache_size"],
    "loki.relabel rule": ["source_labels", "separator", "regex", "replacement", "target_label", "action", "modulus"],
    "loki.write": ["endpoint", "external_labels"],
    "loki.write endpoint": ["url*", "headers", "tenant_id", "batch_wait", "batch_size"],
};

describe("Alloy's configuration", () => {
    const references = /\b((?:loki|discovery|local)\.[a-z_.]+\.[a-z]+)\.(?:receiver|output|targets|rules)\b/g;
    let folder: string;

    beforeAll(() => {
        folder = join(directory, "alloy");
        writeFiles(configs, "alloy", folder);
    });

    async function blocksOf(file: string): Promise<Block[]> {
        const { code, output } = await runTool("alloysyntax", join(folder, file));
        expect({ code, output }).toHaveEndedWith(0);
        return JSON.parse(output);
    }

    /** What is wrong in a block, and in those in it. */
    function mistakes({ name, attributes, blocks }: Block, path = name): string[] {
        const known = alloy[path];
        if (!known) {
            return [`${path}: no such block`];
        }
        const given = [...attributes, ...blocks.map((each) => each.name)];
        const names = known.map((each) => each.replace("*", ""));
        return [
            ...given.filter((each) => !names.includes(each)).map((each) => `${path}: ${each} is not known`),
            ...known
                .filter((each) => each.endsWith("*") && !given.includes(each.slice(0, -1)))
                .map((each) => `${path}: ${each} lacks`),
            ...blocks.flatMap((each) => mistakes(each, `${path} ${each.name}`)),
        ];
    }

    test.each(["config.alloy", "events.alloy"])(
        "Alloy's own parser reads %s, whose blocks have what they take, refer to blocks that there are, and send to Loki",
        async (file) => {
            const blocks = await blocksOf(file);
            const text = filesOf(configs, "alloy")[file] ?? "";
            const defined = blocks.map(({ name, label }) => `${name}.${label}`);
            const used = [...text.matchAll(references)].map(([, reference]) => reference);

            expect(blocks.flatMap((each) => mistakes(each))).toEqual([]);
            expect(used.length).toBeGreaterThan(0);
            expect(used.filter((each) => !defined.includes(each ?? ""))).toEqual([]);
            expect(text).toContain('url = "http://loki:3100/loki/api/v1/push"');
        },
    );

    test("a brace that is missing, and an attribute that is misspelt, are found", async () => {
        writeFileSync(join(folder, "open.alloy"), 'loki.write "loki" {\n');
        writeFileSync(join(folder, "misspelt.alloy"), 'loki.write "loki" {\n  endpoint {\n    uri = "x"\n  }\n}\n');

        expect(await runTool("alloysyntax", join(folder, "open.alloy"))).toMatchObject({
            code: 1,
            output: expect.stringContaining("expected }, got EOF"),
        });
        expect((await blocksOf("misspelt.alloy")).flatMap((each) => mistakes(each))).toEqual([
            "loki.write endpoint: uri is not known",
            "loki.write endpoint: url* lacks",
        ]);
    });

    test("collects the logs of pods and nodes on each node, and events once", async () => {
        const names = async (file: string) => (await blocksOf(file)).map(({ name }) => name);

        expect(await names("config.alloy")).toEqual(
            expect.arrayContaining(["loki.source.file", "loki.source.journal"]),
        );
        expect(await names("config.alloy")).not.toContain("loki.source.kubernetes_events");
        expect(await names("events.alloy")).toContain("loki.source.kubernetes_events");
    });

    test("dashboards ask for levels of the journal as Alloy names them", () => {
        // https://github.com/grafana/alloy/blob/v1.18.1/internal/component/loki/source/journal/tailer.go
        const levels = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];
        const asked = dashboards
            .flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)))
            .flatMap((expr) => /job="journal".*level=~"([^"]*)"/.exec(expr)?.[1]?.split("|") ?? []);

        expect(asked.length).toBeGreaterThan(0);
        expect(asked.filter((level) => !levels.includes(level))).toEqual([]);
    });
});
