import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../lib/ports";
import { tool } from "../../toolchain/tools";
import { configFile, type Manifest, ofKind } from "../charts/manifest";
import { charts, inParallel, Workspace } from "../charts/workspace";
import { Program, runToEnd } from "./program";

const directory = mkdtempSync(join(tmpdir(), "hearth-glance-"));
const file = join(directory, "glance.yml");
let config: string;
const ingresses: Manifest[] = [];

beforeAll(async () => {
    const workspace = new Workspace("helm4");
    try {
        config = configFile(await workspace.render("glance"), "glance", "glance.yml");
        await inParallel(charts, async (chart) => {
            ingresses.push(...ofKind(await workspace.render(chart), "Ingress"));
        });
    } finally {
        workspace.remove();
    }
});

afterAll(() => rmSync(directory, { recursive: true }));

test("Glance accepts its configuration", async () => {
    writeFileSync(file, config);

    expect(await runToEnd(tool("glance"), ["--config", file, "config:validate"])).toHaveEndedWith(0);
});

test("Glance rejects a configuration with an unknown widget", async () => {
    writeFileSync(file, config.replace("type: calendar", "type: calender"));
    const { code, output } = await runToEnd(tool("glance"), ["--config", file, "config:validate"]);

    expect(output).toContain("calender");
    expect(code).not.toBe(0);
});

describe("the home page", () => {
    let api: Server;
    let glance: Program;
    let page: string;

    beforeAll(async () => {
        api = createServer((_, response) => {
            response.setHeader("content-type", "application/json").end(JSON.stringify({ items: ingresses }));
        });
        await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
        const port = await freePort();
        writeFileSync(
            file,
            config
                .replace("port: 8080", `host: 127.0.0.1\n  port: ${port}`)
                .replace("127.0.0.1:8001", `127.0.0.1:${(api.address() as AddressInfo).port}`),
        );
        glance = new Program(tool("glance"), ["--config", file]);
        await glance.answers(`http://127.0.0.1:${port}/api/healthz`);
        page = await (await fetch(`http://127.0.0.1:${port}/api/pages/home/content/`)).text();
    });

    afterAll(async () => {
        api.close();
        await glance.stop();
    });

    test("links to every running service once, under its group", () => {
        const shown = ingresses.filter(({ metadata }) => metadata.annotations?.["hearth/title"]);
        const links = [...page.matchAll(/href="(https:\/\/[^"]+)"[^>]*>([^<]+)<\/a>/g)].map(([, url, title]) => ({
            url,
            title,
        }));

        expect(shown.length).toBeGreaterThan(25);
        expect(links).toHaveLength(shown.length);
        for (const { metadata, spec } of ofKind(shown, "Ingress")) {
            expect(links).toContainEqual({
                url: `https://${spec?.rules?.[0]?.host}`,
                title: metadata.annotations?.["hearth/title"],
            });
        }
    });

    test("shows every group once, in alphabetical order", () => {
        const groups = ingresses.flatMap(({ metadata }) => metadata.annotations?.["hearth/group"] ?? []);
        const headings = [...page.matchAll(/<h3[^>]*>([^<]+)<\/h3>/g)].map(([, heading]) => heading);

        expect(headings).toEqual([...new Set(groups)].sort());
    });
});
