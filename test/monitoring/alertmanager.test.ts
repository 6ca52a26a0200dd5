import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { freePort } from "../../lib/ports";
import { type Configs, type Rule, renderConfigs, rulesOf } from "./chart";
import type { Daemon } from "./daemon";
import { eventually } from "./eventually";
import { runTool } from "./program";
import { Receiver } from "./receiver";
import { runAlertmanager, writeAlertmanager } from "./run-alertmanager";

jest.setTimeout(240_000);

const directory = mkdtempSync(join(tmpdir(), "hearth-alertmanager-"));

afterAll(() => rmSync(directory, { recursive: true }));

/** Fields of Alertmanager's alerts that the test reads. */
interface AlertGroup {
    readonly alerts: readonly {
        readonly labels: Readonly<Record<string, string>>;
        readonly status: { readonly mutedBy: readonly string[] };
    }[];
}

/** A time of the day in UTC, in the values' format. */
const clock = (time: Date) => time.toISOString().slice(11, 16);
const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000);

describe("amtool, on the configuration as the chart renders it", () => {
    let configs: Configs;
    let file: string;

    beforeAll(async () => {
        configs = await renderConfigs();
        file = writeAlertmanager(configs, join(directory, "rendered"));
    });

    test("reports no problem, with and without mail and heartbeat", async () => {
        const all = await renderConfigs(
            "--set=notify.heartbeat=true,notify.email.to=me@example.com,notify.email.from=home@example.com",
            "--set=notify.email.smarthost=mail.example.com:587,notify.email.username=home",
        );
        const withAll = writeAlertmanager(all, join(directory, "all"));

        for (const [each, receivers] of [
            [file, 4],
            [withAll, 4],
        ] as const) {
            const { code, output } = await runTool("amtool", "check-config", each);
            expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining("SUCCESS") });
            expect(output).toContain(` - ${receivers} receivers`);
            expect(output).toContain(" - 1 templates");
        }
        const { global, receivers } = parse(readFileSync(withAll, "utf8"));
        expect(global).toMatchObject({ smtp_auth_username: "home", smtp_auth_password_file: expect.any(String) });
        expect(receivers.filter((each: object) => "email_configs" in each)).toHaveLength(3);
    });

    test("routes each alert by its severity, and the Watchdog past the phone", async () => {
        const routes = { critical: "critical", warning: "warning", info: "info", none: "heartbeat" };
        for (const { alert, labels } of rulesOf(configs)) {
            if (alert) {
                const severity = labels?.["severity"] ?? "";
                const test = ["config", "routes", "test", `--config.file=${file}`];
                const { output } = await runTool("amtool", ...test, `alertname=${alert}`, `severity=${severity}`);
                expect({ alert, receiver: output.trim() }).toEqual({
                    alert,
                    receiver: routes[severity as keyof typeof routes],
                });
            }
        }
    });

    test("treats an alert without a severity as a warning", async () => {
        const { output } = await runTool(
            "amtool",
            "config",
            "routes",
            "test",
            `--config.file=${file}`,
            "alertname=Own",
        );

        expect(output.trim()).toBe("warning");
    });
});

describe("Alertmanager itself, with the chart's configuration", () => {
    let daemon: Daemon | undefined;
    let receiver: Receiver;
    let url: string;

    /** Alertmanager with short group intervals, and a receiver instead of ntfy. */
    async function start(...values: string[]): Promise<void> {
        receiver = await Receiver.start();
        const configs = await renderConfigs(
            `--set=notify.ntfy=${receiver.url}/alerts,notify.wait=1s,notify.interval=1s`,
            "--set=notify.heartbeat=true",
            ...values,
        );
        const here = mkdtempSync(join(directory, "run-"));
        const port = await freePort();
        url = `http://127.0.0.1:${port}`;
        daemon = await runAlertmanager(configs, here, port, `${receiver.url}/heartbeat`);
    }

    async function post(alerts: readonly object[]): Promise<void> {
        const response = await fetch(`${url}/api/v2/alerts`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(alerts),
        });
        expect(response.status).toBe(200);
    }

    const alert = (...alerts: Record<string, string>[]) =>
        post(alerts.map((labels) => ({ labels, annotations: { summary: labels["alertname"], description: "." } })));

    const daytime = () =>
        `--set-string=notify.quiet.from=${clock(inMinutes(600))},notify.quiet.to=${clock(inMinutes(610))}`;

    afterEach(async () => {
        await daemon?.stop();
        await receiver.close();
    });

    test("sends each severity with its own priority, and the Watchdog elsewhere", async () => {
        await start(daytime());
        await alert(
            { alertname: "A", severity: "critical" },
            { alertname: "B", severity: "warning" },
            { alertname: "C", severity: "info" },
            { alertname: "Watchdog", severity: "none" },
        );
        await eventually("four messages", () => receiver.messages.length >= 4);

        const sent = receiver.messages.map(
            ({ alerts, path, shown }) => `${alerts[0]?.labels["alertname"]} ${path} ${shown["priority"]}`,
        );
        expect([...new Set(sent)].sort()).toEqual([
            "A /alerts urgent",
            "B /alerts default",
            "C /alerts low",
            "Watchdog /heartbeat undefined",
        ]);
    });

    test("notifies a phone of an alert and the next step, and silently of its end", async () => {
        await start(daytime());
        const labels = { alertname: "NodeDown", severity: "critical", node: "a" };
        const annotations = {
            summary: "Node a & its disk are gone",
            description: "Its kubelet has not reported.\nhttps://git/NodeDown.md",
            runbook_url: "https://git/NodeDown.md",
        };
        await post([{ labels, annotations }]);
        await eventually("the page", () => receiver.names("firing").includes("NodeDown"));
        await post([{ labels, annotations, endsAt: new Date().toISOString() }]);
        await eventually("the end", () => receiver.names("resolved").includes("NodeDown"));

        const [page, end] = [receiver.messages[0]?.shown, receiver.messages.at(-1)?.shown];
        expect(page).toEqual({
            template: "yes",
            tags: "rotating_light",
            priority: "urgent",
            click: annotations.runbook_url,
            title: annotations.summary,
            message: annotations.description,
        });
        expect(end).toMatchObject({
            tags: "white_check_mark",
            priority: "low",
            title: `Over: ${annotations.summary}`,
        });
    });

    test("groups a dozen simultaneous alerts into one message that ntfy accepts", async () => {
        await start(daytime());
        const rules = rulesOf(await renderConfigs()).filter(({ alert }) => alert);
        const longest = "x".repeat(200);
        const dozen = ({ alert = "", expr, labels, annotations }: Rule) =>
            Array.from({ length: 12 }, (_, index) => ({
                // Under another name, since some alerts silence others.
                labels: { alertname: `${alert}s`, ...labels, namespace: "arr", pod: `${longest}${index}` },
                annotations: { ...annotations, summary: `${index} ${annotations?.["summary"]} ${longest}` },
                generatorURL: `https://prometheus.home.arpa/graph?g0.expr=${encodeURIComponent(expr)}&g0.tab=1`,
            }));
        const severities = ["critical", "warning", "info"];
        const notified = rules.filter(({ labels }) => severities.includes(labels?.["severity"] ?? ""));
        await post(notified.flatMap(dozen));
        await eventually("a message of each", () => new Set(receiver.names("firing")).size === notified.length);

        expect(notified.length).toBeGreaterThan(25);
        for (const { shown, size, alerts } of receiver.messages) {
            const { title = "", message = "" } = shown;
            const alert = alerts[0]?.labels["alertname"];
            // ntfy accepts 4 KiB of text, 32 KiB of JSON.
            expect({ alert, short: Buffer.byteLength(message) <= 4096, size: size <= 32_768 }).toEqual({
                alert,
                short: true,
                size: true,
            });
            expect(title).toBe(`${alert} (10 or more)`);
            expect(message).toContain("docs/runbooks/");
            expect(message).not.toContain("<no value>");
        }
    });

    test("a node that is down silences only the alerts that it causes", async () => {
        await start(daytime());
        await alert(
            { alertname: "NodeDown", severity: "critical", node: "a" },
            { alertname: "TargetDown", severity: "warning", node: "a" },
            { alertname: "PodNotReady", severity: "warning", node: "a", namespace: "arr", pod: "sonarr" },
            { alertname: "TargetDown", severity: "warning", node: "b" },
            { alertname: "ApplicationNotHealthy", severity: "warning", name: "arr" },
            { alertname: "DiskFilling", severity: "warning", node: "b", mountpoint: "/" },
            { alertname: "DiskAlmostFull", severity: "critical", node: "b", mountpoint: "/" },
        );
        const expected = ["ApplicationNotHealthy", "DiskAlmostFull b", "NodeDown a", "TargetDown b"];
        await eventually("what is not silenced", () =>
            expected.every((name) => receiver.names("firing", "node").includes(name)),
        );

        expect([...new Set(receiver.names("firing", "node"))].sort()).toEqual(expected);
    });

    test("at night, sends only critical alerts; the others wait until morning", async () => {
        // It ends with the next minute that is at least 40 seconds away.
        const morning = new Date(Math.ceil((Date.now() + 40_000) / 60_000) * 60_000);
        await start(`--set-string=notify.quiet.from=${clock(inMinutes(-60))},notify.quiet.to=${clock(morning)}`);
        await alert(
            { alertname: "NodeDown", severity: "critical", node: "a" },
            { alertname: "NodeHot", severity: "warning", node: "b" },
        );
        await eventually("the critical one", () => receiver.names("firing").includes("NodeDown"));
        await eventually("the warning is muted", async () => {
            const groups = (await (await fetch(`${url}/api/v2/alerts/groups`)).json()) as AlertGroup[];
            const alerts = groups.flatMap((group) => group.alerts);
            return alerts.some(
                ({ labels, status }) => labels["alertname"] === "NodeHot" && status.mutedBy[0] === "night",
            );
        });
        const heardAtNight = [...new Set(receiver.names("firing"))];
        await eventually("the warning, in the morning", () => receiver.names("firing").includes("NodeHot"), 150_000);

        expect(heardAtNight).toEqual(["NodeDown"]);
        expect(Date.now()).toBeGreaterThanOrEqual(morning.getTime());
    });

    test("without quiet hours, sends warnings at any hour", async () => {
        await start("--set=notify.quiet=null");
        await alert({ alertname: "NodeHot", severity: "warning", node: "b" });
        await eventually("the warning", () => receiver.names("firing").includes("NodeHot"));
    });
});
