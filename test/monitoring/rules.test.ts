import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { resolveRepository } from "../../config/schema";
import { type Configs, filesOf, type Rule, type RuleFile, renderConfigs, rulesOf, writeFiles } from "./chart";
import { runTool } from "./program";

/** One situation of alerts.yaml. */
interface Case {
    readonly when: string;
    readonly interval?: string;
    readonly series: Readonly<Record<string, string>>;
    readonly at: string;
    readonly firing: readonly { readonly labels: Readonly<Record<string, string>>; readonly summary: string }[];
}

jest.setTimeout(120_000);

const runbooks = resolve(__dirname, "../../docs/runbooks");
const cases = parse(readFileSync(join(__dirname, "alerts.yaml"), "utf8"), { merge: true }) as Record<string, Case[]>;
const directory = mkdtempSync(join(tmpdir(), "hearth-rules-"));

let configs: Configs;
let rules: Rule[];

/** The rules with only the summary as annotation, since promtool compares all annotations. */
function withSummaryOnly(text: string): RuleFile {
    const { groups } = parse(text) as RuleFile;
    return {
        groups: groups.map((group) => ({
            ...group,
            rules: group.rules.map((rule) =>
                rule.annotations ? { ...rule, annotations: { summary: rule.annotations["summary"] ?? "" } } : rule,
            ),
        })),
    };
}

function promtoolTests(alert: string): object {
    const severity = rules.find((rule) => rule.alert === alert)?.labels?.["severity"];
    const file = Object.entries(filesOf(configs, "rules")).find(([, text]) => text.includes(`alert: ${alert}\n`))?.[0];
    return {
        rule_files: ["recording.yaml", file],
        // With rare samples, rules are evaluated less often too; but within the five minutes for which a sample counts.
        evaluation_interval: cases[alert]?.some(({ interval }) => interval) ? "4m" : "1m",
        tests: cases[alert]?.map(({ when, interval = "1m", series, at, firing }) => ({
            name: when,
            interval,
            input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
            alert_rule_test: [
                {
                    eval_time: at,
                    alertname: alert,
                    exp_alerts: firing.map(({ labels, summary }) => ({
                        exp_labels: { ...labels, severity },
                        exp_annotations: { summary },
                    })),
                },
            ],
        })),
    };
}

beforeAll(async () => {
    configs = await renderConfigs();
    rules = rulesOf(configs);
    for (const [file, text] of Object.entries(filesOf(configs, "rules"))) {
        writeFileSync(join(directory, file), stringify(withSummaryOnly(text)));
    }
});

afterAll(() => rmSync(directory, { recursive: true }));

describe.each(Object.keys(cases))("%s", (alert) => {
    test(`fires when, and only when: ${cases[alert]?.map(({ when }) => when).join("; ")}`, async () => {
        const file = join(directory, `${alert}.test.yaml`);
        writeFileSync(file, stringify(promtoolTests(alert)));

        expect(await runTool("promtool", "test", "rules", file)).toEqual({
            code: 0,
            output: expect.stringContaining("SUCCESS"),
        });
    });
});

test("promtool reports no problem in the rules", async () => {
    const files = writeFiles(configs, "rules", join(directory, "as-rendered"));

    expect(await runTool("promtool", "check", "rules", "--lint=all", "--lint-fatal", ...files)).toEqual({
        code: 0,
        output: expect.stringContaining("SUCCESS"),
    });
});

test("every alert is tested: when it fires, and when it does not", () => {
    const alerts = rules.flatMap(({ alert }) => alert ?? []);

    expect(Object.keys(cases).sort()).toEqual([...alerts].sort());
    for (const [alert, situations] of Object.entries(cases)) {
        expect({ alert, fires: situations.some(({ firing }) => firing.length > 0) }).toEqual({ alert, fires: true });
        // The Watchdog always fires.
        if (alert !== "Watchdog") {
            expect({ alert, quiet: situations.some(({ firing }) => firing.length === 0) }).toEqual({
                alert,
                quiet: true,
            });
        }
    }
});

/** The home's own repository, in a browser. */
const repository = resolveRepository({ domain: "home.arpa", repository: { revision: "main" } })
    .url.replace("http:", "https:")
    .replace(/\.git$/, "");

test("every alert states its subject, the next step, its severity and a runbook", () => {
    for (const { alert, labels, annotations } of rules) {
        if (alert) {
            expect({ alert, ...labels }).toEqual({
                alert,
                severity: expect.stringMatching(/^(critical|warning|info|none)$/),
            });
            expect({ alert, ...annotations }).toEqual({
                alert,
                summary: expect.stringMatching(/^.{10,160}$/),
                description: expect.stringContaining(annotations?.["runbook_url"] ?? "-"),
                runbook_url: `${repository}/src/branch/main/docs/runbooks/${alert}.md`,
            });
        }
    }
});

test("every alert has a runbook, and every runbook an alert", () => {
    const alerts = rules.flatMap(({ alert }) => alert ?? []);
    const pages = existsSync(runbooks) ? readdirSync(runbooks).filter((page) => page !== "README.md") : [];

    expect(pages.sort()).toEqual(alerts.map((alert) => `${alert}.md`).sort());
    for (const page of pages) {
        const text = readFileSync(join(runbooks, page), "utf8");
        expect(text).toMatch(
            new RegExp(`^# ${page.replace(".md", "")}\\n\\n[^#]+\\n## Inspect\\n\\n[^#]+\\n## Fix\\n\\n[^#]`),
        );
    }
});

test("values can change an alert; an unknown name is an error that lists the alerts", async () => {
    const changed = rulesOf(
        await renderConfigs("--set=alerts.rules.NodeHot.for=1h,alerts.rules.NodeHot.severity=info"),
    );
    const without = rulesOf(await renderConfigs("--set=alerts.rules.NodeHot.enabled=false"));

    expect(changed.find(({ alert }) => alert === "NodeHot")).toMatchObject({ for: "1h", labels: { severity: "info" } });
    expect(without.map(({ alert }) => alert)).not.toContain("NodeHot");
    expect(without).toHaveLength(rules.length - 1);
    await expect(renderConfigs("--set=alerts.rules.NodeHott.for=1h")).rejects.toThrow(
        /unknown alerts\.rules\.NodeHott: expected one of .*NodeHot, /,
    );
});
