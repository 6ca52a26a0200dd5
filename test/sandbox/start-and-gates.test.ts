import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { revisionOf } from "../../components/application-status";
import { permissionsTable } from "../charts/permission";
import { argocdPorts } from "../monitoring/argocd-ports";
import { granted } from "./granted";
import { Home, isReady, type LiveApplication, type StateResource, until } from "./home";

/** Milliseconds; a fresh cluster with every Application takes minutes on two cores. */
const limit = 15 * 60_000;

const tierOf = ({ metadata }: LiveApplication) => metadata.annotations["argocd.argoproj.io/sync-wave"];

let home: Home;
let revision: string;

beforeAll(async () => {
    home = await Home.create();
    // The homes of these tests have a tier timeout of two minutes.
    home.edit("Pulumi.sandbox.yaml", (text) => text.replace("config:\n", "config:\n  hearth:tierTimeout: 2m\n"));
    // No node has this label: the pod stays Pending, and the Application Progressing.
    home.write(
        "charts/garage/templates/never-ready.yaml",
        [
            "apiVersion: apps/v1",
            "kind: Deployment",
            "metadata: { name: never-ready }",
            "spec:",
            "  selector: { matchLabels: { app: never-ready } }",
            "  template:",
            "    metadata: { labels: { app: never-ready } }",
            "    spec:",
            "      nodeSelector: { hearth/no-such-node: here }",
            "      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: RuntimeDefault } }",
            "      containers:",
            "        - name: never-ready",
            "          image: example.com/never:1",
            "          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }",
            "",
        ].join("\n"),
    );
    await home.commit("garage: a pod that no node takes");
}, limit);

afterAll(async () => home.remove(), limit);

describe("a tier-2 chart that never becomes healthy", () => {
    test(
        "ends `npm start` with an error that names the app, the reason and the next command",
        async () => {
            const { code, output } = await home.start();
            expect(output).toMatch(/Application garage \(tier 2\) did not become Synced and Healthy in time/);
            expect(output).toMatch(/Pod never-ready-\S+: FailedScheduling: 0\/4 nodes are available/);
            expect(output).toContain("kubectl -n argocd describe application garage");
            expect(code).not.toBe(0);
        },
        limit,
    );

    test("hack/status lists it first, with the reason; hack/doctor finds no problem in tools and cluster", async () => {
        const { code, output } = await home.hack("status", "--json", "--stack", "sandbox");
        expect(code).toBe(3);
        expect(JSON.parse(output).first).toEqual({
            what: expect.stringMatching(/^Application garage \(tier 2\) is Synced and Progressing: \S/),
            command: "kubectl -n argocd describe application garage",
        });
        expect(await home.hack("doctor", "--stack", "sandbox")).toMatchObject({
            code: 0,
            output: expect.not.stringMatching(/^bad/m),
        });
    });

    test("no Application of tier 3 exists, and no root Application", async () => {
        const applications = await home.applications();
        expect([...applications.values()].filter((each) => tierOf(each) === "3")).toEqual([]);
        expect(applications.has("root")).toBe(false);
        expect(applications.has("garage")).toBe(true);
    });

    test(
        "once the fix is pushed, the same command continues and completes",
        async () => {
            home.removeFile("charts/garage/templates/never-ready.yaml");
            revision = await home.commit("garage: without the pod that no node takes");
            const { code, output } = await home.start();
            expect({ code, output }).toHaveEndedWith(0);
            const applications = await home.applications();
            const expected = readdirSync(join(home.root, "clusters/home/apps")).map((file) =>
                file.replace(".yaml", ""),
            );
            expect([...applications.keys()].sort()).toEqual([...expected, "root"].sort());
            expect([...applications.values()].filter((each) => !isReady(each, revision))).toEqual([]);
            for (const name of expected) {
                expect(output).toMatch(new RegExp(`\\b${name}\\b.*Synced.*Healthy.*${revision.slice(0, 7)}`));
            }
        },
        limit,
    );
});

describe("a running home", () => {
    test(
        "a second `npm start` changes nothing",
        async () => {
            const { code, output } = await home.start();
            expect({ code, output }).toHaveEndedWith(0);
            expect(output).toMatch(/\d+ unchanged/);
            expect(output).not.toMatch(/\d+ (created|updated|deleted|replaced)/);
        },
        limit,
    );

    test(
        "`npx pulumi preview` by hand shows no change",
        async () => {
            const { code, output } = await home.pulumi("preview", "--expect-no-changes");
            expect({ code, output }).toHaveEndedWith(0);
        },
        limit,
    );

    test(
        "in the state, each Application depends on all of the tier before, through its tier",
        async () => {
            const resources = await home.state();
            const byUrn = new Map(resources.map((each) => [each.urn, each]));
            const reachable = (from: StateResource, seen = new Set<string>()): Set<string> => {
                for (const urn of [...(from.dependencies ?? []), ...(from.parent ? [from.parent] : [])]) {
                    const next = byUrn.get(urn);
                    if (next && !seen.has(urn)) {
                        reachable(next, seen.add(urn));
                    }
                }
                return seen;
            };
            const applications = await home.applications();
            const ofTier = (tier: string) =>
                resources.filter(({ type, urn }) => {
                    const live = applications.get(urn.split("::").at(-1) ?? "");
                    return type === "kubernetes:argoproj.io/v1alpha1:Application" && live && tierOf(live) === tier;
                });
            for (const [tier, before] of [
                ["2", "1"],
                ["3", "2"],
            ] as const) {
                const needed = ofTier(before).map(({ urn }) => urn);
                expect(needed.length).toBeGreaterThan(0);
                for (const each of ofTier(tier)) {
                    expect([...reachable(each)]).toEqual(expect.arrayContaining(needed));
                }
            }
        },
        limit,
    );

    test(
        "the API server grants each account exactly the rights in the table",
        async () => {
            const { accounts, lines, everybody } = await granted(home);
            const table = readFileSync(permissionsTable, "utf8").trim().split("\n");
            // The account of a Helm hook was deleted with it.
            const isThere = (line: string) => accounts.includes(line.split(" ", 1)[0] ?? "");
            // Rights that are granted everywhere and again in a namespace are listed once.
            const isCovered = (line: string) =>
                / in /.test(line) && table.includes(line.replace(/ in \S+:/, " everywhere:"));

            expect(lines).toEqual(table.filter((line) => isThere(line) && !isCovered(line)));
            for (const rule of everybody) {
                expect(rule).toMatch(/^(create (self\w+,?)+ |get \/)/);
            }
        },
        limit,
    );

    test(
        "Argo CD's owner can view and sync, and nothing more; its administrator cannot log in",
        async () => {
            const { output } = await home.pulumi("stack", "output", "argocdPassword", "--show-secrets");
            const login = (username: string) => argocd("POST", "session", { username, password: output.trim() });
            expect(await login("admin")).toMatchObject({ status: 401 });
            const { status, body } = await login("owner");
            expect(status).toBe(200);

            const asOwner = (method: string, path: string, sent?: object) => argocd(method, path, sent, body.token);
            expect(await asOwner("GET", "applications/glance")).toMatchObject({ status: 200 });
            expect(await asOwner("POST", "applications/glance/sync", {})).toMatchObject({ status: 200 });
            expect(await asOwner("DELETE", "applications/glance")).toMatchObject({ status: 403 });
            const patch = { name: "glance", patchType: "merge", patch: '{"spec":{"project":"default"}}' };
            expect(await asOwner("PATCH", "applications/glance", patch)).toMatchObject({ status: 403 });
            const project = { project: { metadata: { name: "open" } } };
            expect(await asOwner("POST", "projects", project)).toMatchObject({ status: 403 });
        },
        limit,
    );

    test(
        "MetalLB has given each Service an address of the stack's range, and each Ingress has Traefik's",
        async () => {
            type Balanced = {
                metadata: { name: string };
                spec: { type?: string };
                status: { loadBalancer?: { ingress?: { ip: string }[] } };
            };
            const addressesOf = ({ status }: Balanced) => status.loadBalancer?.ingress?.map(({ ip }) => ip) ?? [];
            const { items: services } = await home.get<{ items: Balanced[] }>("services", "--all-namespaces");
            const balanced = services.filter(({ spec }) => spec.type === "LoadBalancer");
            expect(balanced.map(({ metadata }) => metadata.name)).toEqual(
                expect.arrayContaining(["adguard-lan", "traefik"]),
            );
            for (const each of balanced) {
                expect(addressesOf(each)).toEqual([expect.stringMatching(/^10\.20\.0\.2(0\d|1\d|2\d|3\d|4\d|50)$/)]);
            }
            const traefik = balanced.find(({ metadata }) => metadata.name === "traefik");
            const { items: ingresses } = await home.get<{ items: Balanced[] }>("ingresses", "--all-namespaces");
            expect(ingresses.length).toBeGreaterThan(0);
            for (const each of ingresses) {
                expect(addressesOf(each)).toEqual(traefik && addressesOf(traefik));
            }
        },
        limit,
    );

    test(
        "cert-manager has signed every certificate with the home's own CA",
        async () => {
            const authority = new X509Certificate(await home.secret("internal-ca", "tls.crt", "cert-manager"));
            type Certificate = { metadata: { namespace: string }; spec: { secretName: string; dnsNames?: string[] } };
            const { items } = await home.get<{ items: Certificate[] }>("certificates", "--all-namespaces");
            expect(items.length).toBeGreaterThan(2);
            for (const { metadata, spec } of items) {
                const issued = new X509Certificate(await home.secret(spec.secretName, "tls.crt", metadata.namespace));
                expect(issued.verify(authority.publicKey)).toBe(true);
                for (const name of spec.dnsNames ?? []) {
                    expect(issued.subjectAltName).toContain(`DNS:${name}`);
                }
            }
        },
        limit,
    );

    test.each([
        [
            "MetalLB",
            {
                apiVersion: "metallb.io/v1beta1",
                kind: "IPAddressPool",
                metadata: { name: "second", namespace: "metallb-system" },
                spec: { addresses: ["10.20.0.240-10.20.0.245"] },
            },
            "overlaps with already defined CIDR",
        ],
        [
            "cert-manager",
            { apiVersion: "cert-manager.io/v1", kind: "ClusterIssuer", metadata: { name: "none" }, spec: {} },
            "at least one issuer must be configured",
        ],
    ])(
        "the webhook of %s rejects a mistake, with the reason",
        async (_, object, reason) => {
            home.write(".sandbox/mistake.json", JSON.stringify(object));
            const { output } = await home.kubectl("create", "--filename", join(home.root, ".sandbox/mistake.json"));
            expect(output).toMatch(/admission webhook "\S+" denied the request/);
            expect(output).toContain(reason);
        },
        limit,
    );

    test(
        "the state has no pending operations",
        async () => {
            expect((await home.state()).filter(({ initErrors = [] }) => initErrors.length > 0)).toEqual([]);
        },
        limit,
    );
});

describe("a change to an Application that is Synced and Healthy", () => {
    test(
        "the gate waits for the new revision: when `pulumi up` ends, the change is deployed, even on a small cluster",
        async () => {
            home.write("charts/glance/templates/marker.yaml", marker("first"));
            revision = await home.commit("glance: a marker");
            await home.push();
            const { code, output } = await home.pulumi("up", "--yes", "--skip-preview", "--parallel", "4");
            expect({ code, output }).toHaveEndedWith(0);
            const applications = await home.applications();
            expect([...applications.values()].filter((each) => !isReady(each, revision))).toEqual([]);
            const configMap = await home.get<{ data: object }>("--namespace=glance", "configmap/marker");
            expect(configMap.data).toEqual({ marker: "first" });
        },
        limit,
    );
});

describe("a branch that a forced push resets", () => {
    test(
        "`pulumi up` waits until every Application is back on that commit; the next one changes nothing",
        async () => {
            const configMap = marker("undone").replace("name: marker", "name: undone");
            home.write("charts/glance/templates/undone.yaml", configMap);
            const undone = await home.commit("glance: a marker that is undone");
            await home.push();
            const refresh = "argocd.argoproj.io/refresh=normal";
            await home.kubectl("--namespace=argocd", "annotate", "application/glance", refresh);
            await until("glance is compared to the new commit", 60_000, async () => {
                const seen = (await home.applications()).get("glance")?.status;
                return revisionOf(seen) === undone;
            });
            await home.forcePush(revision);

            const { code, output } = await home.pulumi("up", "--yes", "--skip-preview", "--parallel", "4");
            expect({ code, output }).toHaveEndedWith(0);
            expect(output).toMatch(/tier-3-gate/);
            const applications = await home.applications();
            expect([...applications.values()].filter((each) => !isReady(each, revision))).toEqual([]);
            expect((await home.kubectl("--namespace=glance", "get", "configmap/undone")).code).not.toBe(0);
            expect(await home.pulumi("preview", "--expect-no-changes")).toHaveEndedWith(0);
        },
        limit,
    );
});

describe("an Application that is Healthy but OutOfSync", () => {
    test(
        "keeps the gate closed, and the error states what Argo CD could not do",
        async () => {
            // The API server rejects changes of an immutable ConfigMap, and a ConfigMap has no health.
            home.write("charts/garage/templates/marker.yaml", marker("first"));
            await home.commit("garage: a marker");
            await home.push();
            expect(await home.pulumi("up", "--yes", "--skip-preview", "--parallel", "64")).toHaveEndedWith(0);

            home.write("charts/garage/templates/marker.yaml", marker("second"));
            revision = await home.commit("garage: another marker");
            await home.push();
            const { code, output } = await home.pulumi("up", "--yes", "--skip-preview", "--parallel", "64");
            expect(code).not.toBe(0);
            expect(output).toMatch(
                /Application garage \(tier 2\) did not become Synced and Healthy in time: sync OutOfSync/,
            );
            expect(output).toMatch(/health Healthy/);
            expect(output).toMatch(/immutable/);
            const applications = await home.applications();
            // Argo CD's own polling may sync tier 3 to the new revision; the test is that Pulumi did not change it.
            const tier3 = [...applications.values()].filter((each) => tierOf(each) === "3");
            expect(tier3.length).toBeGreaterThan(0);
            for (const { metadata } of tier3) {
                expect(metadata.annotations["pulumi.com/waitFor"]).not.toContain(revision);
            }
        },
        limit,
    );
});

/** Queries Argo CD's API server. */
async function argocd(
    method: string,
    path: string,
    sent?: object,
    token?: string,
): Promise<{ status: number; body: { token?: string } }> {
    const port = argocdPorts(home.root, "port")["argocd-server"];
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, {
        method,
        headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
        ...(sent ? { body: JSON.stringify(sent) } : {}),
    });
    return { status: response.status, body: (await response.json()) as { token?: string } };
}

function marker(text: string): string {
    return `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: marker }\nimmutable: true\ndata: { marker: ${text} }\n`;
}
