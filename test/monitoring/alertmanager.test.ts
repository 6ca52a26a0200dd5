import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../sandbox/ports";
import { type Configs, filesOf, renderConfigs, rulesOf, writeFiles } from "./chart";
import { Daemon } from "./daemon";
import { eventually } from "./eventually";
import { runTool } from "./program";
import { Receiver } from "./receiver";

jest.setTimeout(240_000);

const directory = mkdtempSync(join(tmpdir(), "hearth-alertmanager-"));

afterAll(() => rmSync(directory, { recursive: true }));

/** What Alertmanager says of alerts, as far as the test looks into it. */
interface AlertGroup {
    readonly alerts: readonly {
        readonly labels: Readonly<Record<string, string>>;
        readonly status: { readonly mutedBy: readonly string[] };
    }[];
}

/** A time of the day in UTC, as the values write it. */
const clock = (time: Date) => time.toISOString().slice(11, 16);
const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000);

describe("amtool, of the configuration as the chart renders it", () => {
    let configs: Configs;
    let file: string;

    beforeAll(async () => {
        configs = await renderConfigs();
        file = writeFiles(configs, "alertmanager", join(directory, "rendered"))[0] ?? "";
    });

    test("finds nothing to complain of, with and without mail and heartbeat", async () => {
        const all = await renderConfigs(
            "--set=notify.heartbeat=true,notify.email.to=me@example.com,notify.email.from=home@example.com",
            "--set=notify.email.smarthost=mail.example.com:587,notify.email.username=home",
        );
        const [withAll = ""] = writeFiles(all, "alertmanager", join(directory, "all"));

        for (const each of [file, withAll]) {
            expect(await runTool("amtool", "check-config", each)).toEqual({
                code: 0,
                output: expect.stringContaining("SUCCESS"),
            });
        }
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

    test("an alert of somebody's own, without a severity, waits like a warning", async () => {
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

    /** Alertmanager with quick groups, and a receiver in ntfy's place. */
    async function start(...values: string[]): Promise<void> {
        receiver = await Receiver.start();
        const configs = await renderConfigs(
            `--set=notify.ntfy=${receiver.url}/alerts,notify.wait=1s,notify.interval=1s`,
            "--set=notify.heartbeat=true",
            ...values,
        );
        const here = mkdtempSync(join(directory, "run-"));
        const secrets = join(here, "secrets");
        mkdirSync(secrets);
        writeFileSync(join(secrets, "heartbeat-url"), `${receiver.url}/heartbeat`);
        const file = join(here, "alertmanager.yaml");
        const text = filesOf(configs, "alertmanager")["alertmanager.yaml"] ?? "";
        writeFileSync(file, text.replaceAll("/run/secrets/alertmanager", secrets));
        const { port } = await freePorts("port");
        url = `http://127.0.0.1:${port}`;
        daemon = await Daemon.start(
            "alertmanager",
            [
                `--config.file=${file}`,
                `--storage.path=${here}`,
                "--cluster.listen-address=",
                `--web.listen-address=127.0.0.1:${port}`,
            ],
            here,
            `${url}/-/ready`,
        );
    }

    async function alert(...alerts: Record<string, string>[]): Promise<void> {
        const response = await fetch(`${url}/api/v2/alerts`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(alerts.map((labels) => ({ labels, annotations: {} }))),
        });
        expect(response.status).toBe(200);
    }

    afterEach(async () => {
        await daemon?.stop();
        await receiver.close();
    });

    test("sends each severity with its own priority, to ntfy's template for Alertmanager", async () => {
        await start(`--set-string=notify.quiet.from=${clock(inMinutes(600))},notify.quiet.to=${clock(inMinutes(610))}`);
        await alert(
            { alertname: "A", severity: "critical" },
            { alertname: "B", severity: "warning" },
            { alertname: "C", severity: "info" },
            { alertname: "Watchdog", severity: "none" },
        );
        await eventually("four messages", () => receiver.messages.length >= 4);

        const sent = receiver.messages.map((each) => `${each.alerts[0]?.labels["alertname"]} ${each.url}`);
        expect([...new Set(sent)].sort()).toEqual([
            "A /alerts?template=alertmanager&priority=urgent",
            "B /alerts?template=alertmanager&priority=default",
            "C /alerts?template=alertmanager&priority=low",
            "Watchdog /heartbeat",
        ]);
    });

    test("a node that is down silences what it takes with it, and nothing else", async () => {
        await start(`--set-string=notify.quiet.from=${clock(inMinutes(600))},notify.quiet.to=${clock(inMinutes(610))}`);
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

    test("at night it says what is critical; the rest waits until the night is over", async () => {
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
});
