import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { connect } from "node:tls";
import type { OrderObject } from "../../hack/certificate-orders";
import { checkName } from "../../hack/name-check";
import { freePort } from "../../lib/ports";
import { downloadChartModules } from "../../sandbox/charts/go-module-charts";
import { tool } from "../../toolchain/tools";
import { kubectlAt } from "../backup/cluster";
import { ControlPlane } from "../backup/control-plane";
import { Workspace } from "../charts/workspace";
import { Home } from "../sandbox/home";
import { Internet } from "./internet";
import { NameServer } from "./name-server";
import { Program } from "./program";

// cert-manager waits a minute after it has seen a record, and longer after each error.
jest.setTimeout(8 * 60_000);

const domain = "home.example.com";
const dns = new NameServer("example.com");
const internet = new Internet(dns);
const programs: Program[] = [];
let plane: ControlPlane;
let home: Home;
let port: number;

const kubectl = (args: readonly string[], input?: string) => kubectlAt(plane)(args, input);
const apply = (objects: readonly object[]) =>
    kubectl(
        ["apply", "--server-side", "--force-conflicts", "--filename=-"],
        objects.map((each) => JSON.stringify(each)).join("\n"),
    );

/** Traefik's kinds, without their schemas. */
function traefikDefinitions(): object[] {
    const kinds = [
        ...["IngressRoute", "IngressRouteTCP", "IngressRouteUDP", "Middleware", "MiddlewareTCP", "ServersTransport"],
        ...["ServersTransportTCP", "TLSOption", "TLSStore", "TraefikService"],
    ];
    return kinds.map((kind) => {
        const plural = `${kind.toLowerCase()}s`;
        const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
        return {
            apiVersion: "apiextensions.k8s.io/v1",
            kind: "CustomResourceDefinition",
            metadata: { name: `${plural}.traefik.io` },
            spec: {
                group: "traefik.io",
                names: { kind, plural, singular: kind.toLowerCase() },
                scope: "Namespaced",
                versions: [{ name: "v1alpha1", served: true, storage: true, schema }],
            },
        };
    });
}

/** Applies the chart's issuers and certificates, like Argo CD. */
async function deploy(staging: boolean): Promise<void> {
    const workspace = new Workspace("helm4");
    try {
        const letsencrypt = { email: "home@example.com", provider: "cloudflare", staging };
        const rendered = await workspace.render(
            "cert-manager",
            `--set-json=letsencrypt=${JSON.stringify(letsencrypt)}`,
            `--set-json=global=${JSON.stringify({ domain, ...(staging ? {} : { clusterIssuer: "letsencrypt" }) })}`,
        );
        apply(rendered.filter(({ kind }) => ["Certificate", "ClusterIssuer", "TLSStore"].includes(kind)));
    } finally {
        workspace.remove();
    }
}

const setToken = (value: string) =>
    apply([
        {
            apiVersion: "v1",
            kind: "Secret",
            metadata: { name: "cert-manager-secrets", namespace: "cert-manager" },
            stringData: { "dns-token": value },
        },
    ]);

const path = "/apis/cert-manager.io/v1/namespaces/cert-manager/certificates";

/** Waits until the chart's issuer has issued a certificate. */
const isReady = (name: string) =>
    plane.until(`${name} is ready`, async () => {
        const { status } = await plane.call<OrderObject>("GET", `${path}/${name}`);
        const conditions = new Map(status?.conditions?.map((each) => [each.type, each.status]));
        return conditions.get("Ready") === "True" && conditions.get("Issuing") !== "True";
    });

/** Renews the wildcard certificate now, like `cmctl renew`. */
async function renew(): Promise<void> {
    const { status } = await plane.call<OrderObject>("GET", `${path}/wildcard`);
    const condition = {
        ...{ type: "Issuing", status: "True", reason: "ManuallyTriggered", message: "renewal" },
        lastTransitionTime: new Date().toISOString().replace(/\.\d+/, ""),
    };
    const conditions = [...(status?.conditions ?? []).filter(({ type }) => type !== "Issuing"), condition];
    await plane.call("PATCH", `${path}/wildcard/status`, { status: { conditions } });
}

/** The certificate that Traefik serves for a name of the home. */
function served(): Promise<X509Certificate> {
    return new Promise((resolve, reject) => {
        const options = { host: "127.0.0.1", port, servername: `photos.${domain}`, rejectUnauthorized: false };
        const socket = connect(options, () => {
            const certificate = socket.getPeerX509Certificate();
            socket.destroy();
            certificate ? resolve(certificate) : reject(new Error("no certificate"));
        }).once("error", reject);
    });
}

const hack = async (verb: string, ...args: string[]) =>
    (await home.hack(verb, "--stack", "sandbox", ...args)).output.replace(/\s+/g, " ");

/** Waits until both verbs print a sentence, and expects the old certificate to be served still. */
async function reports(sentence: string | RegExp, old: X509Certificate): Promise<void> {
    const contains = (text: string) => (typeof sentence === "string" ? text.includes(sentence) : sentence.test(text));
    await plane.until(`hack/names prints ${sentence}`, async () => contains(await hack("names", "--dns", "127.0.0.1")));
    expect(contains(await hack("status"))).toBe(true);
    expect((await served()).serialNumber).toBe(old.serialNumber);
}

beforeAll(async () => {
    await dns.start();
    await internet.start();
    plane = await ControlPlane.start();
    const module = (await downloadChartModules()).get("github.com/cert-manager/cert-manager") ?? "";
    kubectl(["apply", "--server-side", "--filename", join(module, "deploy/crds")]);
    apply(traefikDefinitions());
    kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    kubectl(["create", "namespace", "cert-manager"]);
    apply([
        {
            apiVersion: "cert-manager.io/v1",
            kind: "ClusterIssuer",
            metadata: { name: "selfsigned" },
            spec: { selfSigned: {} },
        },
    ]);
    setToken("token");
    const env = { PATH: process.env["PATH"], KUBECONFIG: plane.kubeconfig, ...internet.environment };
    programs.push(
        new Program(
            tool("cert-manager-acme"),
            [
                "--cluster-resource-namespace=cert-manager",
                `--dns01-recursive-nameservers=127.0.0.1:${dns.port}`,
                "--dns01-recursive-nameservers-only",
            ],
            { env },
        ),
    );
    port = await freePort();
    programs.push(
        new Program(
            tool("traefik"),
            [`--entryPoints.websecure.address=127.0.0.1:${port}`, "--providers.kubernetescrd", "--log.level=INFO"],
            { env: { KUBECONFIG: plane.kubeconfig } },
        ),
    );
    home = await Home.create();
    mkdirSync(dirname(home.kubeconfig), { recursive: true });
    writeFileSync(home.kubeconfig, readFileSync(plane.kubeconfig));
});

afterAll(async () => {
    for (const each of programs) {
        await each.stop();
    }
    await plane?.remove();
    await internet.stop();
    await dns.stop();
    await home?.remove();
});

test("the staging server issues a certificate, and Traefik keeps serving the home's own", async () => {
    await deploy(true);
    await isReady("rehearsal");
    await isReady("wildcard");
    await plane.until("Traefik serves it", async () => (await served()).issuer.includes(`${domain} internal CA`));

    const secret = kubectl([
        "get",
        "secret",
        "rehearsal-tls",
        "--namespace=cert-manager",
        "--output=jsonpath={.data.tls\\.crt}",
    ]);
    const rehearsed = new X509Certificate(Buffer.from(secret, "base64"));
    expect(rehearsed.issuer).toContain("Pebble Intermediate CA");
    expect(rehearsed.subjectAltName?.split(", ").sort()).toEqual([`DNS:*.${domain}`, `DNS:${domain}`]);
    expect(await dns.texts(`_acme-challenge.${domain}`)).toEqual([]);
});

test("the production certificate becomes Traefik's default, for every name of the home", async () => {
    await deploy(false);
    await isReady("wildcard");
    await plane.until("Traefik serves it", async () => (await served()).issuer.includes("Pebble Intermediate CA"));

    const name = { name: `photos.${domain}`, object: "immich/immich", tls: true, addresses: ["127.0.0.1"] };
    const surroundings = {
        inside: [`127.0.0.1:${dns.port}`],
        outside: [],
        authority: await internet.authority(),
        port,
    };
    const { problems } = await checkName(name, surroundings);
    expect(problems.filter((each) => !each.includes("DNS server"))).toEqual([]);
});

test("a rate limit of the CA is reported in a sentence, and the old certificate is served", async () => {
    const old = await served();
    internet.isRateLimited = true;
    await renew();

    await reports("Let's Encrypt's rate limit is reached: the old certificate stays", old);
    internet.isRateLimited = false;
});

test(
    "a token without rights, an account without the domain and a slow provider are reported in a sentence each; the old " +
        "certificate is served until the new one exists",
    async () => {
        const old = await served();
        internet.rights = "read";
        internet.publishes = false;
        await renew();
        await reports("the DNS provider rejects the token: create one with write access to this domain's records", old);

        internet.rights = "all";
        internet.hasZone = false;
        await reports("the token's account does not have this domain: it may belong to someone else", old);

        internet.hasZone = true;
        await reports("the DNS provider has not published the record yet: wait", old);

        await internet.publish();
        await plane.until("the new one is served", async () => (await served()).serialNumber !== old.serialNumber);
        expect((await served()).issuer).toContain("Pebble Intermediate CA");
        expect(await hack("names", "--dns", "127.0.0.1")).not.toContain("Certificate cert-manager/wildcard");
    },
);
