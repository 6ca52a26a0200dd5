import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { Api, isRefusal } from "../../../../sandbox/controllers/api";
import type { KubeConfig } from "../../../../sandbox/controllers/kubernetes-types";
import { resources } from "../../../../sandbox/controllers/resources";
import { makeKey, sign } from "../../../../sandbox/controllers/x509";

/** What an API server was asked, in order. */
const asked: { method?: string; url?: string; type?: string; body: string }[] = [];

let api: Api;
let close: () => void;

beforeAll(async () => {
    const key = await makeKey({ algorithm: "ECDSA" });
    const cert = await sign({ ipAddresses: ["127.0.0.1"], isCA: true, duration: 3_600_000 }, key);
    const server = createServer({ key, cert }, (request, response) => {
        let body = "";
        request.on("data", (chunk: Buffer) => {
            body += chunk;
        });
        request.on("end", () => {
            asked.push({ method: request.method, url: request.url, type: request.headers["content-type"], body });
            const known = !request.url?.includes("unknown");
            response.writeHead(known ? 200 : 404).end(known ? "{}" : '{"message":"not found"}');
        });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    api = await Api.connect({
        getCurrentCluster: () => ({ server: `https://127.0.0.1:${port}` }),
        applyToHTTPSOptions: async (options: { ca?: string }) => {
            options.ca = cert;
        },
    } as unknown as KubeConfig);
    close = () => {
        api.close();
        server.close();
    };
});

beforeEach(() => {
    asked.length = 0;
});

afterAll(() => close());

test("a deletion names the object's uid, and does not spoil the next request on its connection", async () => {
    await api.delete(resources.volumes, { metadata: { name: "volume", uid: "1" } });
    await api.patch(resources.claims, { metadata: { namespace: "home", name: "claim" } }, { spec: "ü" }, "status");
    expect(asked).toEqual([
        {
            method: "DELETE",
            url: "/api/v1/persistentvolumes/volume",
            type: "application/json",
            body: '{"preconditions":{"uid":"1"}}',
        },
        {
            method: "PATCH",
            url: "/api/v1/namespaces/home/persistentvolumeclaims/claim/status?fieldManager=hearth-sandbox",
            type: "application/merge-patch+json",
            body: '{"spec":"ü"}',
        },
    ]);
});

test("a refusal says its status and the API server's words", async () => {
    const refused = await api.delete(resources.volumes, { metadata: { name: "unknown" } }).catch((error) => error);
    expect(refused.message).toBe("not found");
    expect(isRefusal(refused, 404)).toBe(true);
    expect(isRefusal(refused, 409)).toBe(false);
});
