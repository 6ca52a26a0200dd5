import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../lib/ports";
import { serveEgress, writeEgressConfig } from "../../../sandbox/egress";
import type { Closeable } from "../../../sandbox/http-server";
import { clusterDirectory } from "../../../sandbox/kwok-config";
import { sandboxPaths } from "../../../sandbox/paths";
import { type KeyPair, keyPairs } from "../../key-pairs";

const [own, another] = keyPairs;
const root = mkdtempSync(join(tmpdir(), "hearth-egress-"));
const paths = sandboxPaths(root);
let port: number;
let proxy: Closeable;
let webhook: Server;

beforeAll(async () => {
    const pki = join(clusterDirectory(paths), "pki");
    mkdirSync(pki, { recursive: true });
    for (const [file, content] of Object.entries({ "ca.crt": own.cert, "admin.crt": own.cert, "admin.key": own.key })) {
        writeFileSync(join(pki, file), content);
    }
    webhook = createServer((_, response) => response.end("admitted"));
    await new Promise<void>((listening) => webhook.listen(0, "127.0.0.1", listening));
    const local = (webhook.address() as AddressInfo).port;
    port = await freePort();
    writeEgressConfig(paths, port);
    proxy = await serveEgress(paths, (address, wanted) =>
        address === "10.42.0.7" && wanted === 9443 ? local : undefined,
    );
});

afterAll(async () => {
    await proxy.close();
    webhook.close();
    rmSync(root, { recursive: true });
});

/** The proxy's answer to a CONNECT, and then the data from the other end. */
function connect(target: string, pair?: KeyPair): Promise<{ status?: number; body: string }> {
    return new Promise((resolve, reject) => {
        // Without a server name, Node 26 checks the certificate against the host of the target.
        const tls = { servername: "localhost", ca: own.cert, ...pair };
        const call = request({ host: "127.0.0.1", port, method: "CONNECT", path: target, agent: false, ...tls });
        call.once("error", reject);
        call.once("response", ({ statusCode }) => resolve({ status: statusCode, body: "" }));
        call.once("connect", ({ statusCode }, socket) => {
            let body = "";
            socket.on("data", (chunk: Buffer) => {
                body += chunk;
            });
            socket.on("close", () => resolve({ status: statusCode, body }));
            socket.write("GET / HTTP/1.1\r\nHost: webhook\r\nConnection: close\r\n\r\n");
        });
        call.end();
    });
}

test("the API server reaches the process of a pod at the pod's address", async () => {
    expect(await connect("10.42.0.7:9443", own)).toEqual({ status: 200, body: expect.stringContaining("admitted") });
});

test("it reaches kwok, which replaces the kubelets, at loopback", async () => {
    const { port: local } = webhook.address() as AddressInfo;
    expect(await connect(`localhost:${local}`, own)).toMatchObject({ status: 200 });
});

test.each(["10.42.0.7:80", "10.42.0.8:9443", "192.0.2.1:443", "nonsense"])(
    "nothing answers at %s, where no process runs",
    async (target) => {
        expect(await connect(target, own)).toMatchObject({ status: 502 });
    },
);

test.each([
    ["no certificate", undefined],
    ["another authority's certificate", another],
])("a client with %s is rejected", async (_, pair) => {
    await expect(connect("10.42.0.7:9443", pair)).rejects.toThrow(/certificate|alert|socket hang up|ECONNRESET/);
});

test("closing it closes the connections through it", async () => {
    const options = { host: "127.0.0.1", port, method: "CONNECT", path: "10.42.0.7:9443", agent: false };
    const call = request({ ...options, ...own, ca: own.cert });
    const closed = new Promise((done, fail) => {
        call.once("error", fail);
        call.once("connect", async (_, socket) => {
            socket.once("close", done);
            await proxy.close();
            proxy = await serveEgress(paths, () => undefined);
        });
    });
    call.end();
    await closed;
});
