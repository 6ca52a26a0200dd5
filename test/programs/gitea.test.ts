import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Gitea } from "../../components/gitea/api";
import { type Declaration, declare } from "../../components/gitea/declare";
import { lostDelivery } from "../../components/gitea/delivery";
import { freePort } from "../../lib/ports";
import { startGitea } from "../../sandbox/gitea";
import type { Closeable } from "../../sandbox/http-server";
import { sandboxPaths } from "../../sandbox/paths";
import { type ApiServer, serveApi } from "../unit/components/api-server";

const secret = "what-messages-are-signed-with";
const administrator = { name: "hearth", password: "of-the-administrator" };
const path = "/repos/home/hearth";
const directory = mkdtempSync(join(tmpdir(), "hearth-gitea-"));
const watches: ServerResponse[] = [];
let gitea: Closeable;
let api: ApiServer;
/** Argo CD's webhook: it accepts a signed push notification, and refreshes root. */
let argocd: Server;
let server: string;
let port: number;

beforeAll(async () => {
    const paths = sandboxPaths(directory);
    for (const folder of [paths.logs, paths.bin]) {
        mkdirSync(folder, { recursive: true });
    }
    const giteaPort = await freePort();
    server = `http://127.0.0.1:${giteaPort}`;
    gitea = await startGitea(
        paths,
        giteaPort,
        { administrator: administrator.name, password: administrator.password },
        () => {},
    );
    const root = (annotations?: object) => ({ metadata: { name: "root", resourceVersion: "5", annotations } });
    api = await serveApi("own", ({ url = "" }, response) => {
        response.setHeader("content-type", "application/json");
        if (url.includes("watch=true")) {
            response.flushHeaders();
            watches.push(response);
        } else {
            response.end(JSON.stringify(root()));
        }
    });
    argocd = createServer(async (request, response) => {
        const body = await text(request);
        const signature = createHmac("sha256", secret).update(body).digest("hex");
        const isPush = request.headers["x-gogs-event"] === "push" && JSON.parse(body).ref === "refs/heads/main";
        const isOurs = isPush && request.headers["x-gogs-signature"] === signature;
        response.writeHead(isOurs ? 200 : 400).end();
        for (const each of isOurs ? watches : []) {
            const object = root({ "argocd.argoproj.io/refresh": "normal" });
            each.write(`${JSON.stringify({ type: "MODIFIED", object })}\n`);
        }
    }).listen(0, "127.0.0.1");
    await once(argocd, "listening");
    port = (argocd.address() as AddressInfo).port;
    const client = new Gitea(server, administrator);
    await client.change("POST", "/orgs", { username: "home", visibility: "private" });
    const repository = { name: "hearth", private: true, auto_init: true, default_branch: "main" };
    await client.change("POST", "/orgs/home/repos", repository);
}, 120_000);

afterAll(async () => {
    await gitea.close();
    api.close();
    argocd.close();
    rmSync(directory, { recursive: true });
});

/** Declares a webhook, and tests it. */
async function lost(url: string, key = secret): Promise<string | undefined> {
    const config = { url, content_type: "json", secret: key };
    await new Gitea(server, administrator).change("POST", `${path}/hooks`, {
        ...{ type: "gitea", active: true, events: ["push"], branch_filter: "main", config },
    });
    return lostDelivery({
        ...{ server, administrator, webhook: url, kubeconfig: api.kubeconfig, limit: 5 },
        url: `${server}/home/hearth.git`,
        repository: { owner: "home", name: "hearth", branch: "main" },
    });
}

test("Gitea delivers a test message, signed as Argo CD expects, without a warning", async () => {
    expect(await lost(`http://127.0.0.1:${port}/api/webhook`)).toBeUndefined();
});

test("reports a webhook address that is missing from Gitea's ALLOWED_HOST_LIST, with that setting", async () => {
    expect(await lost(`http://0.0.0.0:${port}/api/webhook`)).toMatch(
        /does not reach Argo CD.*settings\/hooks\/\d+ under Recent Deliveries.*ALLOWED_HOST_LIST = private/,
    );
});

test("reports a message that Argo CD rejects because it is signed with another secret", async () => {
    expect(await lost(`http://localhost:${port}/api/webhook`, "another")).toMatch(/does not reach Argo CD/);
});

test("a second declaration changes nothing, for a branch that URLs escape, and a foreign account stays", async () => {
    const declaration: Declaration = {
        server,
        repository: { owner: "again", name: "hearth", branch: "release/1+2" },
        administrator,
        reader: { name: "argocd", password: "of-the-reader-12" },
        webhook: { url: `http://127.0.0.1:${port}/api/webhook`, secret },
        contains: "clusters/home/kustomization.yaml",
        seed: "refs/hearth/seed/test",
        limit: 30,
    };
    await declare(declaration);
    await declare(declaration);
    const client = new Gitea(server, administrator);
    const protections = await client.find<{ rule_name: string }[]>("/repos/again/hearth/branch_protections");
    expect(protections?.map(({ rule_name }) => rule_name)).toEqual(["release/1+2"]);

    const stranger = {
        username: "ada",
        email: "ada@example.com",
        password: "of-a-person-12",
        must_change_password: false,
    };
    await client.change("POST", "/admin/users", stranger);
    const reader = { name: "ada", password: "of-the-reader-12" };
    await expect(declare({ ...declaration, reader })).rejects.toThrow(
        /ada of Gitea .* belongs to somebody \(ada@example\.com\)/,
    );
    const other = { ...stranger, username: "hearth-updates", email: "updates@example.com" };
    await client.change("POST", "/admin/users", other);
    await expect(declare({ ...declaration, updater: "of-the-updates-12" })).rejects.toThrow(
        /hearth-updates of Gitea .* belongs to somebody \(updates@example\.com\)/,
    );
    await declare(declaration);
    const updates = new Gitea(server, { name: "hearth-updates", password: other.password });
    expect((await updates.ask("GET", "/user")).status).toBe(200);
    await expect(
        declare({ ...declaration, administrator: { name: "ada", password: stranger.password } }),
    ).rejects.toThrow(/ada of Gitea .* is not an administrator/);
}, 120_000);
