import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../lib/ports";
import { serveChartRepository } from "../../../sandbox/chart-repository";

test("the chart repository serves only its folder, and reports a port that is in use", async () => {
    const directory = mkdtempSync(join(tmpdir(), "hearth-charts-"));
    const port = await freePort();
    const health = () => ({ directory });
    const server = await serveChartRepository(port, join(directory, "charts"), health);
    try {
        const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
        expect((await get("/index.yaml")).status).toBe(404);
        mkdirSync(join(directory, "charts"));
        writeFileSync(join(directory, "charts", "index.yaml"), "apiVersion: v1\n");
        writeFileSync(join(directory, "secret"), "x");
        const index = await get("/index.yaml");
        expect([index.status, await index.text()]).toEqual([200, "apiVersion: v1\n"]);
        expect((await get("/..%2fsecret")).status).toBe(404);
        expect(await (await get("/healthz")).json()).toEqual({ directory });
        await expect(serveChartRepository(port, directory, health)).rejects.toThrow("hearth:charts.repository");
    } finally {
        await server.close();
        rmSync(directory, { recursive: true });
    }
});
