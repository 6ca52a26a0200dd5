import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createProxy, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { freePorts } from "../../lib/ports";
import { tool } from "../../toolchain/tools";
import type { NameServer } from "./name-server";
import { Program } from "./program";

const names = ["acme-v02.api.letsencrypt.org", "acme-staging-v02.api.letsencrypt.org", "api.cloudflare.com"];

/** Rights of the token that the home has at Cloudflare. */
export type Rights = "all" | "read" | "none";

interface TextRecord {
    readonly id: string;
    readonly name: string;
    readonly content: string;
}

/** A JSON body. */
async function bodyOf(message: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) {
        chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks);
}

/**
 * The part of the Internet that issues certificates: Let's Encrypt, which is Pebble, and the calls of Cloudflare's API that
 * cert-manager makes. A program reaches it with `environment`.
 * https://developers.cloudflare.com/api/resources/dns/subresources/records/
 */
export class Internet {
    /** Rights of any token. */
    rights: Rights = "all";
    /** False for an account that does not have the domain. */
    hasZone = true;
    /** False while records are accepted but not published. */
    publishes = true;
    /** True if Let's Encrypt currently accepts no order. */
    isRateLimited = false;

    readonly #directory = mkdtempSync(join(tmpdir(), "hearth-internet-"));
    readonly #tunnels = new Set<Duplex>();
    readonly #proxy = createProxy();
    #records: TextRecord[] = [];
    #published = new Set<string>();
    #pebble: Program | undefined;
    #ports = { acme: 0, management: 0 };
    #nextId = 1;

    /** @param dns the name servers of the home's domain */
    constructor(readonly dns: NameServer) {}

    #path(name: string): string {
        return join(this.#directory, name);
    }

    /** Certificates of all hosts, signed by the test's authority. */
    #certify(): void {
        const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: this.#directory, stdio: "pipe" });
        const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        openssl("req", "-x509", ...key, "-subj", "/CN=the Internet", "-keyout", "ca.key", "-out", "ca.crt");
        openssl("req", ...key.slice(0, -2), "-subj", "/CN=hosts", "-keyout", "tls.key", "-out", "tls.csr");
        const alternatives = [...names, "localhost"].map((name) => `DNS:${name}`).join(",");
        writeFileSync(this.#path("extensions"), `subjectAltName=${alternatives},IP:127.0.0.1\n`);
        const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions"];
        openssl("x509", "-req", "-in", "tls.csr", ...signed, "-out", "tls.crt");
    }

    async start(): Promise<void> {
        this.#certify();
        const { acme, management, http, tls } = await freePorts("acme", "management", "http", "tls");
        this.#ports = { acme, management };
        const pebble = {
            listenAddress: `127.0.0.1:${acme}`,
            managementListenAddress: `127.0.0.1:${management}`,
            certificate: this.#path("tls.crt"),
            privateKey: this.#path("tls.key"),
            httpPort: http,
            tlsPort: tls,
        };
        writeFileSync(this.#path("pebble.json"), JSON.stringify({ pebble }));
        this.#pebble = new Program(
            tool("pebble"),
            ["-config", this.#path("pebble.json"), "-dnsserver", `127.0.0.1:${this.dns.port}`],
            // Disables delays, rejected nonces, and the reuse of authorizations.
            { env: { PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0", PEBBLE_AUTHZREUSE: "0" } },
        );
        await this.#pebble.until(async () => (await this.authority()) !== "");
        const server = createServer(
            { key: readFileSync(this.#path("tls.key")), cert: readFileSync(this.#path("tls.crt")) },
            (message, response) => {
                this.#answer(message, response).catch((error: Error) => response.writeHead(500).end(error.message));
            },
        );
        this.#proxy.on("connect", (message: IncomingMessage, socket: Duplex) => {
            const [host = ""] = (message.url ?? "").split(":");
            if (!names.includes(host)) {
                socket.end("HTTP/1.1 502 unknown host\r\n\r\n");
                return;
            }
            this.#tunnels.add(socket);
            socket.on("error", () => socket.destroy());
            socket.write("HTTP/1.1 200 OK\r\n\r\n");
            server.emit("connection", socket);
        });
        await new Promise<void>((resolve) => this.#proxy.listen(0, "127.0.0.1", resolve));
    }

    /** Environment of a program that uses it. */
    get environment(): NodeJS.ProcessEnv {
        const { port } = this.#proxy.address() as AddressInfo;
        return { HTTPS_PROXY: `http://127.0.0.1:${port}`, SSL_CERT_FILE: this.#path("ca.crt") };
    }

    /** Pebble's root certificate, which devices of the test trust. */
    async authority(): Promise<string> {
        return (await this.#call("GET", this.#ports.management, "/roots/0")).body.toString();
    }

    #call(
        method: string,
        port: number,
        path: string,
        headers: IncomingMessage["headers"] = {},
        body?: Buffer,
    ): Promise<{ readonly answer: IncomingMessage; readonly body: Buffer }> {
        return new Promise((resolve, reject) => {
            const options = { host: "127.0.0.1", port, method, path, headers, rejectUnauthorized: false, agent: false };
            const sent = request(options, (answer) => {
                bodyOf(answer).then((read) => resolve({ answer, body: read }), reject);
            });
            sent.once("error", reject);
            sent.end(body);
        });
    }

    async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
        const { method = "GET", url = "/", headers } = message;
        const body = await bodyOf(message);
        if (headers.host === "api.cloudflare.com") {
            const { status, content } = await this.#cloudflare(
                method,
                new URL(url, "https://api.cloudflare.com"),
                body,
            );
            response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(content));
            return;
        }
        if (this.isRateLimited && url === "/order-plz") {
            // Like Let's Encrypt: https://letsencrypt.org/docs/rate-limits/
            const problem = {
                type: "urn:ietf:params:acme:error:rateLimited",
                detail:
                    "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, " +
                    "retry after 2126-12-02 10:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/",
                status: 429,
            };
            const { answer } = await this.#call("HEAD", this.#ports.acme, "/nonce-plz", { host: headers.host });
            response
                .writeHead(429, {
                    "content-type": "application/problem+json",
                    "replay-nonce": answer.headers["replay-nonce"] ?? "",
                    "retry-after": "3600",
                })
                .end(JSON.stringify(problem));
            return;
        }
        // Let's Encrypt's directory has another path than Pebble's.
        const path = url === "/directory" ? "/dir" : url;
        const passed = await this.#call(method, this.#ports.acme, path, headers, body);
        response.writeHead(passed.answer.statusCode ?? 502, passed.answer.headers).end(passed.body);
    }

    /** Publishes pending records, as a slow provider does eventually. */
    async publish(): Promise<void> {
        this.publishes = true;
        for (const { id, name, content } of this.#records.filter((each) => !this.#published.has(each.id))) {
            await this.dns.update("add", name, content);
            this.#published.add(id);
        }
    }

    async #cloudflare(method: string, { pathname, searchParams }: URL, body: Buffer) {
        const success = (result: unknown) => ({ status: 200, content: { success: true, errors: [], result } });
        const error = (status: number, code: number, message: string) => ({
            status,
            content: { success: false, errors: [{ code, message }], result: null },
        });
        const [, , , , zone, , id] = pathname.split("/");
        const name = searchParams.get("name");
        // https://developers.cloudflare.com/fundamentals/api/troubleshooting/
        if (this.rights === "none") {
            return error(403, 9109, "Invalid access token");
        }
        if (zone === undefined) {
            const isIt = this.hasZone && name === this.dns.zone;
            return success(isIt ? [{ id: "zone", name }] : []);
        }
        if (method === "GET") {
            return success(this.#records.filter((each) => each.name === name));
        }
        if (this.rights === "read") {
            return error(403, 10000, "Authentication error");
        }
        if (method === "POST") {
            const { name: created, content } = JSON.parse(body.toString()) as TextRecord;
            const record = { id: String(this.#nextId++), name: created, content };
            this.#records.push(record);
            if (this.publishes) {
                await this.publish();
            }
            return success(record);
        }
        const found = this.#records.find((each) => each.id === id);
        this.#records = this.#records.filter((each) => each !== found);
        if (found && this.#published.delete(found.id)) {
            await this.dns.update("delete", found.name, found.content);
        }
        return success({ id });
    }

    async stop(): Promise<void> {
        for (const each of this.#tunnels) {
            each.destroy();
        }
        this.#proxy.close();
        await this.#pebble?.stop();
        rmSync(this.#directory, { recursive: true, force: true });
    }
}
