import { spawn } from "node:child_process";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { stringify } from "yaml";
import { makeKey, sign } from "../../../sandbox/controllers/x509";

let server: Server;
let kubeconfig: string;

beforeAll(async () => {
    const [key, other] = [await makeKey(), await makeKey()];
    const certificate = { ipAddresses: ["127.0.0.1"], isCA: true, duration: 86_400_000 };
    server = createServer({ key, cert: await sign(certificate, key) }, (_, response) => response.end("{}"));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    kubeconfig = stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [
            {
                name: "home",
                cluster: {
                    server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
                    "certificate-authority-data": Buffer.from(await sign(certificate, other)).toString("base64"),
                },
            },
        ],
        users: [{ name: "home", user: { token: "none" } }],
        contexts: [{ name: "home", context: { cluster: "home", user: "home" } }],
        "current-context": "home",
    });
});

afterAll(() => server.close());

test.each([
    ["applications", { applications: ["jellyfin"], where: "tier 3", revision: "c0ffee" }],
    ["webhook", { owner: "MetalLB", object: { apiVersion: "v1", kind: "Namespace", metadata: { name: "any" } } }],
])(
    "the wait for %s ends at once where the API server's certificate is not accepted, and says so",
    async (wait, told) => {
        const child = spawn("node", ["--no-deprecation", "--require", "tsx/cjs", `components/waits/${wait}.ts`]);
        child.stdin.end(JSON.stringify({ kubeconfig, limit: 3_600, ...told }));
        const [said, code] = await Promise.all([
            text(child.stderr),
            new Promise((resolveCode) => child.once("exit", resolveCode)),
        ]);
        expect(said).toMatch(
            /^The API server's certificate is not accepted here: .*\nIs the clock of this machine right\?/,
        );
        expect(code).toBe(1);
    },
);
