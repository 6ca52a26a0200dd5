import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../lib/ports";
import { tool } from "../../toolchain/tools";
import { configFile } from "../charts/manifest";
import { Workspace } from "../charts/workspace";
import { Program } from "../programs/program";
import { renderConfigs } from "./chart";
import type { Daemon } from "./daemon";
import { eventually } from "./eventually";
import { runAlertmanager } from "./run-alertmanager";

jest.setTimeout(120_000);

/** Fields of Gatus' messages to ntfy that the test reads. */
interface Published {
    readonly topic: string;
    readonly title: string;
    readonly message: string;
}

const directory = mkdtempSync(join(tmpdir(), "hearth-watchdog-"));
const published: Published[] = [];
let ntfy: Server;
let alertmanager: Daemon;
let gatus: Program;
let url: string;

/** Sends the firing Watchdog to Alertmanager, like Prometheus, until it is stopped. */
async function watchdog(seconds: number): Promise<void> {
    const alert = { labels: { alertname: "Watchdog", severity: "none" }, annotations: {} };
    await fetch(`${url}/api/v2/alerts`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify([{ ...alert, endsAt: new Date(Date.now() + seconds * 1_000).toISOString() }]),
    });
}

beforeAll(async () => {
    ntfy = createServer((request, response) => {
        let body = "";
        request.on("data", (chunk: Buffer) => {
            body += chunk.toString();
        });
        request.on("end", () => {
            if (request.method === "POST") {
                published.push(JSON.parse(body));
            }
            response.end("{}");
        });
    });
    await new Promise<void>((resolve) => ntfy.listen(0, "127.0.0.1", resolve));
    const configs = await renderConfigs();
    const ports = await freePorts("alertmanager", "gatus");
    url = `http://127.0.0.1:${ports.alertmanager}`;
    alertmanager = await runAlertmanager(configs, directory, ports.alertmanager);
    const folder = join(directory, "gatus");
    mkdirSync(folder);
    const workspace = new Workspace("helm4");
    const rendered = await workspace.render("gatus").finally(() => workspace.remove());
    writeFileSync(
        join(folder, "config.yaml"),
        configFile(rendered, "gatus", "config.yaml")
            .replace("port: 8080", `address: 127.0.0.1\n  port: ${ports.gatus}`)
            .replace("/data/gatus.db", join(directory, "gatus.db"))
            .replaceAll("interval: 1m", "interval: 1s")
            .replaceAll(
                "http://ntfy.ntfy.svc.cluster.local:8080",
                `http://127.0.0.1:${(ntfy.address() as AddressInfo).port}`,
            )
            .replaceAll("http://alertmanager.monitoring.svc.cluster.local:9093", url),
    );
    await watchdog(3_600);
    gatus = new Program(tool("gatus"), [], { cwd: folder, env: { GATUS_CONFIG_PATH: folder } });
    await gatus.answers(`http://127.0.0.1:${ports.gatus}/health`);
});

afterAll(async () => {
    await gatus.stop();
    await alertmanager.stop();
    ntfy.closeAllConnections();
    ntfy.close();
    rmSync(directory, { recursive: true });
});

test("Gatus is silent while the Watchdog arrives, notifies the phone once it stops, and again when it resumes", async () => {
    await gatus.until(async () => gatus.output.includes("alerts arrive"));
    expect(published.filter(({ title }) => title.includes("alerts arrive"))).toEqual([]);

    // As when Prometheus has died.
    await watchdog(0);
    const [page] = await eventually("the page", () => published.length > 0 && published);
    expect(page).toMatchObject({
        topic: "alerts",
        title: expect.stringContaining("alerts arrive"),
        message: expect.stringContaining("no other alert will be heard of"),
    });

    await watchdog(3_600);
    await eventually("the end", () => published.some(({ message }) => message.includes("resolved")));
});
