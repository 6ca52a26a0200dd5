import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tool } from "../../toolchain/tools";
import { containers } from "../charts/manifest";
import { charts, inParallel, Workspace } from "../charts/workspace";
import { Program, runToEnd } from "./program";

const isValkey = (image: string | undefined) => image?.includes("/valkey/") ?? false;

/** Arguments of every server in the charts, by chart. */
const servers = new Map<string, string[]>();
const directory = mkdtempSync(join(tmpdir(), "hearth-redis-"));

beforeAll(async () => {
    const workspace = new Workspace("helm4");
    try {
        await inParallel(charts, async (chart) => {
            for (const { container, stays } of containers(await workspace.render(chart))) {
                if (stays && isValkey(container.image)) {
                    servers.set(chart, container.args ?? []);
                }
            }
        });
    } finally {
        workspace.remove();
    }
});

afterAll(() => rmSync(directory, { recursive: true }));

test("three charts have a server each, configured alike", () => {
    expect([...servers.keys()].sort()).toEqual(["immich", "paperless", "searxng"]);
    expect([...servers.values()].map(([program]) => program)).toEqual(Array(3).fill("valkey-server"));
});

test.each(["immich", "paperless", "searxng"])(
    "Redis starts as %s configures it: it answers, and writes nothing to disk",
    async (chart) => {
        const socket = join(directory, `${chart}.sock`);
        const args = (servers.get(chart) ?? []).slice(1);
        const server = new Program(tool("redis-server"), [
            ...args,
            "--port",
            "0",
            "--unixsocket",
            socket,
            "--dir",
            directory,
        ]);
        const ask = (...command: string[]) =>
            execFileSync("redis-cli", ["-s", socket, ...command], { encoding: "utf8" }).trim();
        try {
            await server.until(async () => ask("ping") === "PONG");

            expect(ask("config", "get", "save").split("\n")).toEqual(["save"]);
            expect(ask("config", "get", "appendonly").split("\n")).toEqual(["appendonly", "no"]);
            // Less than the container's limit.
            expect(Number(ask("config", "get", "maxmemory").split("\n")[1])).toBeGreaterThan(32 * 2 ** 20);
        } finally {
            await server.stop();
        }
    },
);

test("Redis rejects an unknown option", async () => {
    const args = ["--maxmemory-polizy", "noeviction", "--port", "0"];

    expect((await runToEnd(tool("redis-server"), args)).code).not.toBe(0);
});
