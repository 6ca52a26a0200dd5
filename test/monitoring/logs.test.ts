import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LRParser } from "@lezer/lr";
import { parse } from "yaml";
import { z } from "zod";
import { type Configs, filesOf, renderConfigs, writeFiles } from "./chart";
import { type Dashboard, dashboardsOf } from "./dashboards";
import { runTool } from "./program";

jest.setTimeout(120_000);

// Its types are declared for ES modules only.
const { parser: logql } = require("@grafana/lezer-logql") as { parser: LRParser };

const directory = mkdtempSync(join(tmpdir(), "hearth-loki-"));

let configs: Configs;
let dashboards: Dashboard[];

beforeAll(async () => {
    configs = await renderConfigs();
    dashboards = dashboardsOf(configs);
});

afterAll(() => rmSync(directory, { recursive: true }));

/** Prometheus' durations, which Loki accepts for retention; its minimum is a day. */
const days = z.string().regex(/^[1-9]\d*d$/);

/**
 * Settings of Loki 3.7.8 that the chart uses, with the values that suit a single instance that stores logs in a folder.
 * https://github.com/grafana/loki/blob/v3.7.8/docs/sources/shared/configuration.md
 */
const lokiSettings = z.strictObject({
    auth_enabled: z.literal(false),
    server: z.strictObject({
        http_listen_port: z.literal(3100),
        log_level: z.enum(["debug", "info", "warn", "error"]),
    }),
    common: z.strictObject({
        path_prefix: z.literal("/loki"),
        // Replicas beyond the only instance never answer, and every push fails.
        replication_factor: z.literal(1),
        instance_addr: z.ipv4(),
        ring: z.strictObject({ kvstore: z.strictObject({ store: z.literal("inmemory") }) }),
    }),
    schema_config: z.strictObject({
        configs: z.tuple([
            z.strictObject({
                from: z.iso.date(),
                store: z.literal("tsdb"),
                object_store: z.literal("filesystem"),
                // The first schema with structured metadata.
                schema: z.literal("v13"),
                // The compactor supports retention only with daily tables.
                index: z.strictObject({ prefix: z.string().min(1), period: z.literal("24h") }),
            }),
        ]),
    }),
    storage_config: z.strictObject({ filesystem: z.strictObject({ directory: z.string().startsWith("/loki/") }) }),
    limits_config: z.strictObject({
        retention_period: days,
        max_query_series: z.int().positive(),
        allow_structured_metadata: z.boolean(),
    }),
    compactor: z.strictObject({
        working_directory: z.string().startsWith("/loki/"),
        // Without both, logs are kept forever.
        retention_enabled: z.literal(true),
        delete_request_store: z.literal("filesystem"),
    }),
    analytics: z.strictObject({ reporting_enabled: z.literal(false) }),
});

test("Loki's configuration has only documented settings, and its retention follows the values", async () => {
    const read = (from: Configs) => lokiSettings.parse(parse(filesOf(from, "loki")["loki.yaml"] ?? ""));

    expect(read(configs).limits_config.retention_period).toBe("30d");
    expect(read(await renderConfigs("--set=retention.logs=90d")).limits_config.retention_period).toBe("90d");
});

/** The parts of a query in LogQL that Grafana's own parser rejects. */
function rejected(query: string): string[] {
    const errors: string[] = [];
    logql.parse(query).iterate({
        enter: ({ type, from, to }) => {
            if (type.isError) {
                errors.push(query.slice(from, to) || `end of ${query}`);
            }
        },
    });
    return errors;
}

test("Grafana's LogQL parser reads every query of the dashboards", () => {
    const queries = dashboards.flatMap(({ panels }) =>
        panels
            .filter(({ datasource }) => datasource.type === "loki")
            .flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    );

    expect(queries.length).toBeGreaterThan(5);
    expect(queries.flatMap(rejected)).toEqual([]);
    for (const invalid of ['{namespace="arr" |~ "Warn"', '{namespace="arr"} |~', "{namespace=arr} | json"]) {
        expect({ invalid, rejected: rejected(invalid) }).not.toEqual({ invalid, rejected: [] });
    }
});

/** A block of Alloy's language. */
interface Block {
    readonly name: string;
    readonly label: string;
    readonly attributes: readonly string[];
    readonly blocks: readonly Block[];
}

/**
 * Attributes of each block that the chart uses: Alloy 1.18.1, the tags `alloy:"…"` of the types Arguments in
 * https://github.com/grafana/alloy/tree/v1.18.1/internal/component. Required attributes have a star.
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

    /** Mistakes in a block, and in nested ones. */
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
        "Alloy's own parser reads %s: every block is complete, refers to existing blocks, and sends to Loki",
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

    test("Alloy's parser detects a missing brace and a misspelled attribute", async () => {
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

    test("dashboards query journal levels as Alloy names them", () => {
        // https://github.com/grafana/alloy/blob/v1.18.1/internal/component/loki/source/journal/tailer.go
        const levels = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];
        const asked = dashboards
            .flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)))
            .flatMap((expr) => /job="journal".*level=~"([^"]*)"/.exec(expr)?.[1]?.split("|") ?? []);

        expect(asked.length).toBeGreaterThan(0);
        expect(asked.filter((level) => !levels.includes(level))).toEqual([]);
    });
});
