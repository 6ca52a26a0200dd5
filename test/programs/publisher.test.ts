import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { promisify } from "node:util";
import { Workspace } from "../charts/workspace";
import { missingIn } from "../monitoring/metrics";

const script = join(__dirname, "../../charts/pangolin/config/publisher/publisher.py");
const directory = mkdtempSync(join(tmpdir(), "hearth-publisher-"));
const workspace = new Workspace("helm4");

/** Resource of Pangolin, as its API lists it. */
interface Resource {
    readonly resourceId: number;
    readonly niceId: string;
    readonly fullDomain: string;
    readonly sso: boolean;
    readonly enabled: boolean;
    readonly targets?: readonly unknown[];
}

/** Resource in a blueprint. */
interface Blueprint {
    readonly "full-domain": string;
    readonly auth: { readonly "sso-enabled": boolean };
    readonly targets: readonly unknown[];
}

/** State of the stand-in: manual routes, resources, sites, and all requested changes. */
let ingresses: unknown[];
let resources: Resource[];
let sites: { readonly niceId: string; readonly type: string }[];
let changes: string[];
let refused: string | undefined;

/**
 * Stand-in for the API server and Pangolin. The answers are those of the stored sources of Pangolin: routers/integration.ts,
 * resource/listResources.ts and blueprints/applyJSONBlueprint.ts of fosrl/pangolin.
 */
const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
        const { method, url = "", headers } = request;
        const path = url.replace(/\?.*/, "");
        const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : undefined;
        const answer = (status: number, value: unknown) => {
            response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
        };
        if (path === "/apis/networking.k8s.io/v1/ingresses") {
            return answer(headers.authorization === "Bearer of-the-account" ? 200 : 401, { items: ingresses });
        }
        if (path === "/routes") {
            const routers = resources.map(({ niceId, fullDomain }) => [niceId, { rule: `Host(\`${fullDomain}\`)` }]);
            return answer(200, { http: { routers: Object.fromEntries(routers) } });
        }
        if (headers.authorization !== "Bearer id.secret") {
            return answer(401, { message: "Unauthorized" });
        }
        if (method !== "GET") {
            changes.push(`${method} ${path}`);
        }
        if (path === "/v1/org/home/sites") {
            return answer(200, { data: { sites } });
        }
        if (path === "/v1/org/home/site") {
            sites.push({ niceId: "brave-otter", type: body.type });
            return answer(201, { data: { niceId: "brave-otter" } });
        }
        if (path === "/v1/org/home/resources") {
            return answer(200, { data: { resources } });
        }
        if (path === "/v1/org/home/blueprint") {
            const blueprint = JSON.parse(Buffer.from(body.blueprint, "base64").toString());
            for (const [niceId, wanted] of Object.entries<Blueprint>(blueprint["proxy-resources"])) {
                const { "full-domain": fullDomain, auth, targets } = wanted;
                if (fullDomain === refused) {
                    return answer(400, { message: "Failed to update database from config: domain in use" });
                }
                const others = resources.filter((each) => each.niceId !== niceId);
                const resourceId = 40 + others.length;
                const sso = auth["sso-enabled"];
                resources = [...others, { resourceId, niceId, fullDomain, sso, enabled: true, targets }];
            }
            return answer(201, { data: null });
        }
        const number = Number(/^\/v1\/resource\/(\d+)$/.exec(path)?.[1]);
        resources = resources.filter(({ resourceId }) => resourceId !== number);
        return answer(200, { data: null });
    });
});

/** Runs one comparison; the pod does so every half minute. */
async function publish(key = "id.secret"): Promise<{ readonly metrics: string; readonly said: string }> {
    writeFileSync(join(directory, "token"), "of-the-account");
    writeFileSync(join(directory, "api-key"), key);
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const env = {
        PATH: process.env["PATH"],
        ACCOUNT: directory,
        KEY_FILE: join(directory, key === "" ? "missing" : "api-key"),
        KUBERNETES_API: origin,
        PANGOLIN_API: `${origin}/v1`,
        EDGE_ROUTES: `${origin}/routes`,
        ORGANIZATION: "home",
    };
    const { stdout, stderr } = await promisify(execFile)("python3", [script, "once"], { env });
    return { metrics: stdout, said: stderr };
}

/** Ingresses of Jellyfin and ntfy, rendered by their charts with these values. */
async function charts(jellyfin: object, ntfy: object = {}): Promise<unknown[]> {
    const render = async (chart: string, ingress: object) => {
        const values = JSON.stringify({ [chart]: { ingress } });
        const objects = await workspace.render(chart, "--set-json", `workloads=${values}`);
        return objects.filter(({ kind }) => kind === "Ingress");
    };
    return [...(await render("jellyfin", jellyfin)), ...(await render("ntfy", ntfy))];
}

beforeAll(async () => {
    // The account's authority is that of the API server; plain HTTP needs none.
    writeFileSync(join(directory, "ca.crt"), rootCertificates[0] ?? "");
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

beforeEach(() => {
    ingresses = [];
    resources = [{ resourceId: 7, niceId: "old-fox", fullDomain: "wiki.home.arpa", sso: true, enabled: true }];
    sites = [];
    changes = [];
    refused = undefined;
});

afterAll(() => {
    server.close();
    workspace.remove();
    rmSync(directory, { recursive: true });
});

test("one line in a chart opens its service behind a login, and removing the line closes it", async () => {
    ingresses = await charts({ public: true });
    await publish();

    expect(resources.find(({ niceId }) => niceId === "hearth-jellyfin-home-arpa")).toMatchObject({
        fullDomain: "jellyfin.home.arpa",
        sso: true,
        targets: [{ site: "brave-otter", hostname: "jellyfin.jellyfin.svc.cluster.local", port: 8096, method: "http" }],
    });

    ingresses = await charts({});
    await publish();

    expect(resources.map(({ niceId }) => niceId)).toEqual(["old-fox"]);
});

test("a service has no login in front of it only if its chart says so, with a reason", async () => {
    ingresses = await charts({ public: true }, { public: true, login: "none", reason: "its app signs in itself" });
    await publish();

    const logins = resources.map(({ fullDomain, sso }) => [fullDomain, sso]);
    expect(logins).toEqual(
        expect.arrayContaining([
            ["jellyfin.home.arpa", true],
            ["ntfy.home.arpa", false],
        ]),
    );
});

test("resources from Pangolin's pages stay, and are reported as open without a chart", async () => {
    ingresses = await charts({ public: true });
    await publish();
    const { metrics } = await publish();

    expect(metrics).toContain('hearth_edge_open{name="wiki.home.arpa",declared="no"} 1');
    expect(metrics).toContain('hearth_edge_open{name="jellyfin.home.arpa",declared="yes"} 1');
    expect(missingIn(metrics, "publisher")).toEqual([]);
    expect(changes.filter((each) => each.startsWith("DELETE"))).toEqual([]);
});

test("a name that Pangolin rejects does not affect the others, and the reason is in the log", async () => {
    refused = "jellyfin.home.arpa";
    ingresses = await charts({ public: true }, { public: true });
    const { metrics, said } = await publish();

    expect(resources.map(({ fullDomain }) => fullDomain)).toContain("ntfy.home.arpa");
    expect(said).toContain("cannot open jellyfin.home.arpa: PUT /v1/org/home/blueprint: 400");
    expect(said).toContain("domain in use");
    expect(metrics).toContain("hearth_publisher_success 0");
});

test("without a key nothing is opened, the log names the setting, and open names are still reported", async () => {
    ingresses = await charts({ public: true });
    const { metrics, said } = await publish("");

    expect(changes).toEqual([]);
    expect(said).toBe("jellyfin.home.arpa is not open yet: set the secret pangolin.api-key (docs/expose.md)\n");
    expect(metrics).toContain('hearth_edge_open{name="wiki.home.arpa",declared="no"} 1');
});

test("the key is neither in the log nor in the metrics", async () => {
    ingresses = await charts({ public: true });
    const answers = [await publish("id.wrong-secret"), await publish()];

    expect(JSON.stringify(answers)).not.toMatch(/wrong-secret|id\.secret|of-the-account/);
    expect(answers[0]?.said).toContain("401");
});
