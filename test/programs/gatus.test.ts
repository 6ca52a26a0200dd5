import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePort } from "../../lib/ports";
import { tool } from "../../toolchain/tools";
import { configFile, type Manifest, ofKind } from "../charts/manifest";
import { charts, inParallel, Workspace } from "../charts/workspace";
import { keyPairs } from "../key-pairs";
import { missingIn } from "../monitoring/metrics";
import { Program, runToEnd } from "./program";

const annotation = "gatus.home-operations.com/endpoint";
const ingresses: Manifest[] = [];
let directory: string;
let config: string;
let url: string;

/** Gatus' environment, with its configuration in the folder. */
const options = () => ({ cwd: directory, env: { GATUS_CONFIG_PATH: directory } });

beforeAll(async () => {
    const workspace = new Workspace("helm4");
    try {
        config = configFile(await workspace.render("gatus"), "gatus", "config.yaml");
        await inParallel(charts, async (chart) => {
            ingresses.push(...ofKind(await workspace.render(chart), "Ingress"));
        });
    } finally {
        workspace.remove();
    }
});

beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "hearth-gatus-"));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    writeFileSync(
        join(directory, "config.yaml"),
        config
            .replace("port: 8080", `address: 127.0.0.1\n  port: ${port}`)
            .replace("/data/gatus.db", join(directory, "gatus.db"))
            // No endpoint is checked: only the configuration matters here.
            .replaceAll(/http:\/\/[a-z]+\.[a-z]+\.svc\.cluster\.local:\d+/g, "http://127.0.0.1:1"),
    );
});

afterEach(() => rmSync(directory, { recursive: true }));

test("Gatus reads its configuration, and a check for every Ingress from its annotation", async () => {
    // Written like gatus-sidecar does: the annotation overrides the Ingress.
    const endpoints = ingresses.flatMap(({ metadata }) => {
        const { path, ...rest } = JSON.parse(metadata.annotations?.[annotation] ?? "{}");
        return path ? [{ name: metadata.name, url: `https://127.0.0.1:1${path}`, interval: "1m", ...rest }] : [];
    });
    writeFileSync(join(directory, "services.yaml"), stringify({ endpoints }));
    const gatus = new Program(tool("gatus"), [], options());
    try {
        await gatus.answers(`${url}/health`);
        const statuses = async () =>
            (await (await fetch(`${url}/api/v1/endpoints/statuses?pageSize=100`)).json()) as { name: string }[];
        await gatus.until(async () => (await statuses()).length === endpoints.length + 2);

        expect(endpoints.length).toBeGreaterThan(25);
        expect((await statuses()).map(({ name }) => name)).toEqual(
            expect.arrayContaining(["ntfy from within", "alerts arrive", ...endpoints.map(({ name }) => name)]),
        );
    } finally {
        await gatus.stop();
    }
});

test("Gatus exposes the metrics that alerts and dashboards use, for a service with a certificate", async () => {
    const service = createServer(keyPairs[0], (_, response) => response.end());
    await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
    const endpoint = {
        name: "service",
        url: `https://127.0.0.1:${(service.address() as AddressInfo).port}`,
        interval: "1s",
        conditions: ["[STATUS] == 200"],
        client: { insecure: true },
    };
    writeFileSync(join(directory, "services.yaml"), stringify({ endpoints: [endpoint] }));
    const gatus = new Program(tool("gatus"), [], options());
    try {
        await gatus.answers(`${url}/health`);
        const metrics = async () => (await fetch(`${url}/metrics`)).text();
        await gatus.until(async () => (await metrics()).includes('name="service"'));

        expect(missingIn(await metrics(), "gatus")).toEqual([]);
    } finally {
        await gatus.stop();
        service.close();
        service.closeAllConnections();
    }
});

test("Gatus rejects an invalid condition", async () => {
    const endpoints = [{ name: "planted", url: "https://127.0.0.1:1", conditions: ["[STATUS] ist 200"] }];
    writeFileSync(join(directory, "services.yaml"), stringify({ endpoints }));
    const { code, output } = await runToEnd(tool("gatus"), [], options());

    expect(output).toContain("[STATUS] ist 200");
    expect(code).not.toBe(0);
});
