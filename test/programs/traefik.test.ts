import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { connect } from "node:tls";
import { freePorts } from "../../lib/ports";
import { tool } from "../../toolchain/tools";
import { configFile } from "../charts/manifest";
import { Workspace } from "../charts/workspace";
import { type KeyPair, keyPairs } from "../key-pairs";
import { missingIn } from "../monitoring/metrics";
import { Program, runToEnd } from "./program";

/** Plugins by their module, with the package that Traefik expects in it. Traefik downloads them; a test cannot. */
const plugins = {
    "github.com/fosrl/badger": "badger",
    "github.com/maxlerebourg/crowdsec-bouncer-traefik-plugin": "crowdsec_bouncer_traefik_plugin",
};
/** The header by which each stand-in marks requests that passed it. */
const seen = (name: string) => `X-Seen-By-${name.replaceAll("_", "-")}`;

const directory = mkdtempSync(join(tmpdir(), "hearth-traefik-"));
/** The volume with the routes and the certificate. */
const edge = join(directory, "edge");
let files: { readonly fixed: string; readonly dynamic: string };
let ports: Record<"web" | "websecure" | "metrics", number>;

/** Requests to one of Pangolin's three servers. */
interface Asked {
    readonly server: string;
    readonly headers: IncomingMessage["headers"];
}

const servers: Server[] = [];

/** Stands in for one of Pangolin's servers; answers with its name and the request's headers. */
async function serve(server: string, body?: object): Promise<string> {
    const listening = createServer(({ headers }, response) => {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(body ?? ({ server, headers } satisfies Asked)));
    });
    servers.push(listening);
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

/** A middleware in Go that passes every request on, as a local plugin of Traefik. */
function writePluginStandIn(module: string, name: string): void {
    const folder = join(directory, "plugins-local/src", module);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
        join(folder, ".traefik.yml"),
        `displayName: stand-in\ntype: middleware\nimport: ${module}\nsummary: stand-in\ntestData: {}\n`,
    );
    writeFileSync(
        join(folder, "plugin.go"),
        [
            `package ${name}`,
            'import ("context"; "net/http")',
            "type Config struct{}",
            "func CreateConfig() *Config { return &Config{} }",
            "func New(_ context.Context, next http.Handler, _ *Config, _ string) (http.Handler, error) {",
            "    return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {",
            `        r.Header.Set("${seen(name)}", "yes")`,
            "        next.ServeHTTP(w, r)",
            "    }), nil",
            "}",
            "",
        ].join("\n"),
    );
}

/** Writes a configuration and returns its path. */
function write(name: string, text: string): string {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
}

/**
 * Writes the files of a volume like a kubelet: atomically, by switching a link.
 *
 * @param version distinguishes one write from the previous one
 */
function writeVolume(version: number, files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
        write(`edge/..${version}/${name}`, text);
        if (version === 1) {
            symlinkSync(`..data/${name}`, join(edge, name));
        }
    }
    symlinkSync(`..${version}`, join(edge, "..data_tmp"));
    renameSync(join(edge, "..data_tmp"), join(edge, "..data"));
    rmSync(join(edge, `..${version - 1}`), { recursive: true, force: true });
}

/** A certificate in a Secret's form. */
const tls = ({ cert, key }: KeyPair) => ({ "tls.crt": cert, "tls.key": key });

/** The serial number of the certificate that is served for a name. */
function served(servername: string): Promise<string> {
    return new Promise((resolve, reject) => {
        const options = { host: "127.0.0.1", port: ports.websecure, servername, rejectUnauthorized: false };
        const socket = connect(options, () => {
            resolve(socket.getPeerCertificate().serialNumber);
            socket.destroy();
        }).once("error", reject);
    });
}

interface Answer {
    readonly status: number | undefined;
    readonly headers: IncomingMessage["headers"];
    readonly body: string;
}

/** GET over TLS, with a name of the home. */
function get(host: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
        const call = request(
            {
                host: "127.0.0.1",
                port: ports.websecure,
                servername: host,
                path,
                headers: { host, ...headers },
                rejectUnauthorized: false,
                agent: false,
            },
            (response) => {
                const chunks: Buffer[] = [];
                response.on("data", (chunk: Buffer) => chunks.push(chunk));
                response.on("end", () =>
                    resolve({
                        status: response.statusCode,
                        headers: response.headers,
                        body: Buffer.concat(chunks).toString(),
                    }),
                );
            },
        );
        call.once("error", reject);
        call.end();
    });
}

const asked = async (...args: Parameters<typeof get>) => JSON.parse((await get(...args)).body) as Asked;

beforeAll(async () => {
    const workspace = new Workspace("helm4");
    try {
        const objects = await workspace.render("pangolin");
        ports = await freePorts("web", "websecure", "metrics");
        const fixed = configFile(objects, "traefik", "traefik.yaml")
            .replace(":9080", `127.0.0.1:${ports.web}`)
            .replace(":9443", `127.0.0.1:${ports.websecure}`)
            .replace(":9100", `127.0.0.1:${ports.metrics}`)
            .replaceAll("/etc/traefik-edge", edge)
            .replaceAll("/var/log/traefik/", `${directory}/`);
        const dynamic = configFile(objects, "edge", "dynamic.yaml").replaceAll("/etc/traefik-edge", edge);
        files = { fixed, dynamic };
    } finally {
        workspace.remove();
    }
});

afterAll(() => rmSync(directory, { recursive: true }));

describe("Traefik at the edge", () => {
    let traefik: Program;
    let dynamic: string;

    beforeAll(async () => {
        for (const [module, name] of Object.entries(plugins)) {
            writePluginStandIn(module, name);
        }
        const site = await serve("site");
        // Pangolin's answer about one resource behind it.
        const resource = {
            http: {
                routers: {
                    "1-router": {
                        entryPoints: ["websecure"],
                        middlewares: ["badger"],
                        service: "1-service",
                        rule: "Host(`films.home.arpa`)",
                        tls: {},
                    },
                },
                services: { "1-service": { loadBalancer: { servers: [{ url: site }] } } },
                middlewares: { badger: { plugin: { badger: { apiBaseUrl: "http://pangolin:3001/api/v1" } } } },
            },
        };
        dynamic = files.dynamic
            .replace("http://pangolin:3002", await serve("page"))
            .replace("http://pangolin:3000", await serve("api"));
        writeVolume(1, { "dynamic.yaml": dynamic, ...tls(keyPairs[0]) });
        const fixed = files.fixed
            .replace("http://pangolin:3001", await serve("configuration", resource))
            .replace("  plugins:\n", "  localPlugins:\n")
            .replaceAll(/^ +version: v.*\n/gm, "");
        traefik = new Program(tool("traefik"), [`--configFile=${write("traefik.yaml", fixed)}`], { cwd: directory });
        await traefik.answers(`http://127.0.0.1:${ports.metrics}/ping`);
        await traefik.until(async () => (await get("films.home.arpa", "/")).status === 200);
        await traefik.until(async () => (await get("pangolin.home.arpa", "/")).status === 200);
    });

    afterAll(async () => {
        for (const server of servers) {
            server.close();
            server.closeAllConnections();
        }
        await traefik.stop();
    });

    test("finds no mistake in its configuration", () => {
        const lines = traefik.output.split("\n").filter((line) => line.includes('"level":"error"'));

        expect(lines).toEqual([]);
    });

    test("routes Pangolin's own name to its page and its API", async () => {
        expect((await asked("pangolin.home.arpa", "/auth/login")).server).toBe("page");
        expect((await asked("pangolin.home.arpa", "/api/v1/")).server).toBe("api");
        expect((await asked("pangolin.home.arpa", "/.well-known/openid-configuration")).server).toBe("api");
    });

    test("serves only the routes that Pangolin provides", async () => {
        expect((await asked("films.home.arpa", "/")).server).toBe("site");
        expect((await get("other.home.arpa", "/")).status).toBe(404);
    });

    test("lets every request pass CrowdSec, and then Pangolin's own check", async () => {
        for (const host of ["pangolin.home.arpa", "films.home.arpa"]) {
            const { headers } = await asked(host, "/");
            for (const name of Object.values(plugins)) {
                expect(headers[seen(name).toLowerCase()]).toBe("yes");
            }
        }
    });

    test("ignores clients' own X-Forwarded-For", async () => {
        const { headers } = await asked("films.home.arpa", "/", { "x-forwarded-for": "192.0.2.1" });

        expect(headers["x-forwarded-for"]).toBe("127.0.0.1");
    });

    test("sends plain HTTP to HTTPS, and refuses a name that it has no certificate for", async () => {
        const { status, headers } = await fetch(`http://127.0.0.1:${ports.web}/`, { redirect: "manual" });

        expect([status, headers.get("location")]).toEqual([301, "https://127.0.0.1/"]);
        await expect(get("evil.example.com", "/")).rejects.toThrow(/unrecognized name/);
    });

    test("serves a renewed certificate without a restart", async () => {
        const before = await served("films.home.arpa");
        writeVolume(2, { "dynamic.yaml": dynamic, ...tls(keyPairs[1]) });
        await traefik.until(async () => (await served("films.home.arpa")) !== before);

        expect((await asked("films.home.arpa", "/")).server).toBe("site");
    });

    test("exposes the metrics that alerts and dashboards use", async () => {
        await asked("films.home.arpa", "/");
        const text = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();

        expect(missingIn(text, "traefik")).toEqual([]);
    });

    test("has no API and no dashboard", async () => {
        for (const path of ["/api/rawdata", "/dashboard/"]) {
            expect((await fetch(`http://127.0.0.1:${ports.metrics}${path}`)).status).toBe(404);
            expect((await get("traefik.home.arpa", path)).status).toBe(404);
        }
    });

    test("sets HSTS on Pangolin's page", async () => {
        const { headers } = await get("pangolin.home.arpa", "/");

        expect(headers["strict-transport-security"]).toBe("max-age=31536000; includeSubDomains");
        expect(headers["x-frame-options"]).toBe("SAMEORIGIN");
    });
});

test("Traefik rejects an unknown key", async () => {
    const file = write("misspelt.yaml", files.fixed.replace("readTimeout:", "readTimeOutt:"));
    const { code, output } = await runToEnd(tool("traefik"), [`--configFile=${file}`], { cwd: directory });

    expect(output).toMatch(/field not found, node: readTimeOutt/);
    expect(code).not.toBe(0);
});
