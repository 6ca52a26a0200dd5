import { once } from "node:events";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { lostDelivery } from "../../../components/gitea/delivery";
import { type ApiServer, serveApi } from "./api-server";

const open: (ApiServer | Server)[] = [];

afterEach(() => {
    for (const each of open.splice(0)) {
        each.close();
    }
});

/**
 * A Gitea with one webhook, whose messages `deliver` delivers. @param named its URL of the repository, if that differs
 * from its address
 */
async function gitea(webhook: string, deliver: () => void, named?: string): Promise<string> {
    const listener: RequestListener = ({ method, url = "" }, response) => {
        const repository = "/api/v1/repos/home/hearth";
        if (method === "POST" && url === `${repository}/hooks/7/tests?ref=refs/heads/main`) {
            deliver();
            response.writeHead(204).end();
        } else if (url.startsWith(`${repository}/hooks?`)) {
            response.end(JSON.stringify([{ id: 7, config: { url: webhook } }]));
        } else {
            response.end(JSON.stringify({ html_url: named ?? `http://${host}/home/hearth` }));
        }
    };
    const server = createServer(listener);
    open.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    return `http://${host}`;
}

/** An API server with the root Application, and Argo CD's action at a message. */
async function cluster(): Promise<{ kubeconfig: string; refresh: () => void }> {
    const watches: ServerResponse[] = [];
    const root = (annotations?: object) => ({ metadata: { name: "root", resourceVersion: "5", annotations } });
    const api = await serveApi("own", ({ url = "" }, response) => {
        response.setHeader("content-type", "application/json");
        if (!url.includes("watch=true")) {
            response.end(JSON.stringify(root()));
            return;
        }
        expect(url).toContain("resourceVersion=5");
        response.flushHeaders();
        watches.push(response);
    });
    open.push(api);
    const refresh = () => {
        const object = root({ "argocd.argoproj.io/refresh": "normal" });
        for (const each of watches) {
            each.write(`${JSON.stringify({ type: "MODIFIED", object })}\n`);
        }
    };
    return { kubeconfig: api.kubeconfig, refresh };
}

const webhook = "http://argocd.home.arpa/api/webhook";
const account = { name: "hearth", password: "hunter2" };

async function lost(server: string, kubeconfig: string, hook = webhook): Promise<string | undefined> {
    return lostDelivery({
        ...{ server, kubeconfig, webhook: hook, administrator: account, limit: 1 },
        url: `${server}/home/hearth.git`,
        repository: { owner: "home", name: "hearth", branch: "main" },
    });
}

test("no warning for a push that makes Argo CD refresh its Applications", async () => {
    const { kubeconfig, refresh } = await cluster();
    expect(await lost(await gitea(webhook, refresh), kubeconfig)).toBeUndefined();
});

test("a push that does not reach Argo CD is reported, with the page of Gitea's answer and the setting to change", async () => {
    const { kubeconfig } = await cluster();
    const server = await gitea(webhook, () => {});
    const said = await lost(server, kubeconfig);
    expect(said).toContain(`Gitea was asked to send a test to ${webhook}, and within 1 s Argo CD refreshed nothing`);
    expect(said).toContain(`${server}/home/hearth/settings/hooks/7 under Recent Deliveries`);
    expect(said).toMatch(/ALLOWED_HOST_LIST = private.*hearth:gitea\.webhook/);
});

test("a repository URL that Gitea and Argo CD know by different names is reported as such", async () => {
    const { kubeconfig } = await cluster();
    const server = await gitea(webhook, () => {}, "https://localhost:3000/home/hearth");
    expect(await lost(server, kubeconfig)).toContain(
        "Its URL for the repository is https://localhost:3000/home/hearth, by which Argo CD finds Applications: set its ROOT_URL",
    );
});

test("a deleted webhook is a push that does not arrive", async () => {
    const { kubeconfig } = await cluster();
    expect(await lost(await gitea("http://elsewhere", () => {}), kubeconfig)).toMatch(/does not reach Argo CD/);
});

test("an unreachable API server does not count as a lost message", async () => {
    const kubeconfig = (await cluster()).kubeconfig.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1");
    await expect(lost(await gitea(webhook, () => {}), kubeconfig)).rejects.toThrow(/ECONNREFUSED|connect/);
});
