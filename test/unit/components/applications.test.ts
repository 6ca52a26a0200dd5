import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { podSecurity, readApplications } from "../../../components/applications";
import { kustomizePatches, overriddenManifest } from "../../../components/overrides";
import { k3sSchema } from "../../../config/nodes";
import type { Settings } from "../../../config/settings";

const manifest = (name: string, tier: string, extra: object[] = []) => ({
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: { name, namespace: "argocd", annotations: { "argocd.argoproj.io/sync-wave": tier } },
    spec: {
        project: "home",
        destination: { server: "https://kubernetes.default.svc", namespace: name },
        syncPolicy: { automated: { prune: true } },
        sources: [
            {
                repoURL: "https://git.home.arpa/hearth/hearth.git",
                targetRevision: "main",
                path: `charts/${name}`,
                helm: { valuesObject: { global: { domain: "home.arpa" } } },
            },
            ...extra,
        ],
    },
});

const settings: Settings = {
    domain: "home.example.com",
    cluster: "home",
    kubeconfig: "/dev/null",
    repository: { url: "https://git.example.com/home.git", revision: "trunk" },
    ownGitea: false,
    gitea: { administrator: "hearth", webhook: "http://argocd", address: "http://gitea" },
    charts: { repository: "http://127.0.0.1:8080" },
    loadBalancer: { addresses: ["10.0.0.1-10.0.0.9"] },
    nfs: { server: "nas", path: "/export" },
    profile: "standard",
    tierTimeout: "10m",
    k3s: k3sSchema.parse({}),
    registries: {},
    discard: [],
    secrets: {},
    rotations: {},
};

let root: string;

beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "hearth-applications-"));
    mkdirSync(join(root, "clusters/home/apps"), { recursive: true });
});

afterEach(() => rmSync(root, { recursive: true }));

function add(name: string, content: unknown, { chart = name } = {}): void {
    mkdirSync(join(root, "charts", chart), { recursive: true });
    writeFileSync(join(root, "charts", chart, "Chart.yaml"), `name: ${chart}\n`);
    writeFileSync(
        join(root, "clusters/home/apps", `${name}.yaml`),
        typeof content === "string" ? content : stringify(content),
    );
}

describe("reading the Applications of a cluster", () => {
    test("reads name, namespace and tier from the manifest", () => {
        add("jellyfin", manifest("jellyfin", "3"));
        add("database", manifest("database", "1"));
        expect(readApplications(root, "home")).toMatchObject([
            { name: "database", namespace: "database", tier: 1 },
            { name: "jellyfin", namespace: "jellyfin", tier: 3 },
        ]);
    });

    test("reads the Pod Security level that Argo CD sets on the namespace; the default is restricted", () => {
        const withLevel = (name: string, level: string) => {
            const { spec, ...rest } = manifest(name, "1");
            const managedNamespaceMetadata = { labels: { "pod-security.kubernetes.io/enforce": level } };
            return { ...rest, spec: { ...spec, syncPolicy: { ...spec.syncPolicy, managedNamespaceMetadata } } };
        };
        add("a", manifest("a", "1"));
        add("b", withLevel("b", "baseline"));
        expect(readApplications(root, "home").map(podSecurity)).toEqual(["restricted", "baseline"]);

        add("c", withLevel("c", "strict"));
        expect(() => readApplications(root, "home")).toThrow(
            /apps\/c\.yaml: .*enforce"\]: got "strict", expected the Pod Security level of its namespace: restricted, baseline, privileged/,
        );
    });

    test("a cluster without a folder", () => {
        expect(() => readApplications(root, "cabin")).toThrow(/clusters\/cabin\/apps does not exist/);
    });

    test("every mistake of every file in one error", () => {
        add("a", manifest("a", "4"));
        add("b", manifest("other", "1"), { chart: "other" });
        add("c", "kind: [");
        expect(() => readApplications(root, "home")).toThrow(
            /apps\/a\.yaml: .*sync-wave"\]: got "4", expected the tier: "1", "2" or "3"[\s\S]*apps\/b\.yaml: metadata\.name is "other"[\s\S]*apps\/c\.yaml: /,
        );
    });

    test("an Application whose chart does not exist", () => {
        add("a", manifest("a", "1"));
        rmSync(join(root, "charts/a"), { recursive: true });
        expect(() => readApplications(root, "home")).toThrow(/charts\/a\/Chart\.yaml does not exist/);
    });
});

describe("the stack's values instead of the literal defaults", () => {
    const upstream = { repoURL: "https://argoproj.github.io/argo-helm", chart: "argo-cd", targetRevision: "10.8.0" };

    test("repository, branch, domain and the mirror of upstream charts", () => {
        add("gitops", manifest("gitops", "2", [upstream]));
        const [application] = readApplications(root, "home");
        const { spec } = overriddenManifest(application as never, settings);
        expect(spec.sources).toEqual([
            expect.objectContaining({
                repoURL: "https://git.example.com/home.git",
                targetRevision: "trunk",
                helm: { valuesObject: { global: { domain: "home.example.com", priorityClass: "platform" } } },
            }),
            { ...upstream, repoURL: "http://127.0.0.1:8080" },
        ]);
        expect(application?.manifest.spec.sources[0].targetRevision).toBe("main");
    });

    test("architectures and addresses of the cluster, if known, in both forms", () => {
        add("gitops", manifest("gitops", "2"));
        const applications = readApplications(root, "home");
        const addresses = { traefik: "10.0.0.1", adguard: "10.0.0.9" };
        const values = { architectures: ["arm64"], addresses };
        const { spec } = overriddenManifest(applications[0] as never, settings, values);
        expect(spec.sources[0].helm?.valuesObject?.global).toEqual({
            domain: "home.example.com",
            priorityClass: "platform",
            ...values,
        });
        const [common] = kustomizePatches(applications, settings, values);
        const path = "/spec/sources/0/helm/valuesObject/global";
        expect(parse(common?.patch ?? "")).toEqual(
            expect.arrayContaining([
                { op: "add", path: `${path}/architectures`, value: ["arm64"] },
                { op: "add", path: `${path}/addresses`, value: addresses },
            ]),
        );
    });

    test("Let's Encrypt: staging affects only the issuers, production the issuer of every Ingress", () => {
        add("cert-manager", manifest("cert-manager", "1"));
        add("gitops", manifest("gitops", "2"));
        const applications = readApplications(root, "home");
        const valuesWith = (staging: boolean) => {
            const letsencrypt = { email: "me@example.com", provider: "cloudflare", staging } as const;
            const given = { ...settings, letsencrypt };
            const patches = kustomizePatches(applications, given).flatMap(({ patch }) => parse(patch));
            expect(patches).toContainEqual(expect.objectContaining({ op: "add", value: letsencrypt }));
            return applications.map((each) => overriddenManifest(each, given).spec.sources[0].helm?.valuesObject);
        };
        const domain = "home.example.com";

        const [first, second] = [
            { domain, priorityClass: "infrastructure" },
            { domain, priorityClass: "platform" },
        ];
        const clusterIssuer = "letsencrypt";

        expect(valuesWith(true)).toEqual([
            { global: first, letsencrypt: expect.objectContaining({ staging: true }) },
            { global: second },
        ]);
        expect(valuesWith(false)).toEqual([
            { global: { ...first, clusterIssuer }, letsencrypt: expect.anything() },
            { global: { ...second, clusterIssuer } },
        ]);
    });

    test("a missing NFS export, in both forms; an existing one adds nothing", () => {
        add("gitops", manifest("gitops", "2"));
        const applications = readApplications(root, "home");
        const without = { ...settings, nfs: undefined };
        const globals = (each: typeof settings | typeof without) =>
            overriddenManifest(applications[0] as never, each).spec.sources[0].helm?.valuesObject?.global;
        expect(globals(without)).toMatchObject({ domain: "home.example.com", nfs: false });
        expect(globals(settings)).not.toHaveProperty("nfs");
        expect(parse(kustomizePatches(applications, without)[0]?.patch ?? "")).toContainEqual({
            op: "add",
            path: "/spec/sources/0/helm/valuesObject/global/nfs",
            value: false,
        });
    });

    test("project and priority class follow from the tier, whatever the manifest names", () => {
        add("database", manifest("database", "1"));
        add("jellyfin", manifest("jellyfin", "3"));
        const specs = readApplications(root, "home").map((each) => overriddenManifest(each, settings).spec);
        expect(
            specs.map((spec) => [spec["project"], spec.sources[0].helm?.valuesObject?.global?.["priorityClass"]]),
        ).toEqual([
            ["tier-1", "infrastructure"],
            ["tier-3", "apps"],
        ]);
    });
});

const enforce = "pod-security.kubernetes.io/enforce";
const wave = (tier: string) => ({ "argocd.argoproj.io/sync-wave": tier });

/** An Application's file in a cluster that shares the other fields. */
const short = (name: string, tier: string) => ({
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: { name, annotations: wave(tier) },
    spec: { destination: { namespace: name }, sources: [{ path: `charts/${name}` }] },
});

function shareFields(patch: string = readFileSync("clusters/shared/application.yaml", "utf8")): void {
    mkdirSync(join(root, "clusters/shared"));
    writeFileSync(join(root, "clusters/shared/application.yaml"), patch);
    const resources = readdirSync(join(root, "clusters/home/apps")).map((file) => `apps/${file}`);
    writeFileSync(join(root, "clusters/home/kustomization.yaml"), stringify({ components: ["../shared"], resources }));
}

describe("the fields that all Applications share", () => {
    test("an annotation loosens the Pod Security level of the namespace that Argo CD creates", () => {
        add("a", { ...short("a", "3"), metadata: { name: "a", annotations: { ...wave("3"), [enforce]: "baseline" } } });
        shareFields();
        const [application] = readApplications(root, "home");
        expect(podSecurity(application as never)).toBe("baseline");
        expect(overriddenManifest(application as never, settings).spec.syncPolicy.managedNamespaceMetadata).toEqual({
            labels: { [enforce]: "baseline" },
        });
    });

    test("a file of ten lines is a complete Application", () => {
        add("jellyfin", short("jellyfin", "3"));
        shareFields();
        const [application] = readApplications(root, "home");
        expect(application).toMatchObject({ name: "jellyfin", namespace: "jellyfin", tier: 3 });
        expect(application?.manifest).toMatchObject({
            metadata: { name: "jellyfin", namespace: "argocd", finalizers: ["resources-finalizer.argocd.argoproj.io"] },
            spec: { syncPolicy: { automated: { prune: true, selfHeal: false }, retry: { limit: 5 } } },
        });
    });

    test("a complete file is accepted in a cluster with shared fields, and without", () => {
        const complete = manifest("jellyfin", "3");
        add("jellyfin", complete);
        expect(readApplications(root, "home")[0]?.manifest).toEqual(complete);
        shareFields();
        expect(readApplications(root, "home")).toMatchObject([{ name: "jellyfin", tier: 3 }]);
    });

    test("a field that the shared patch would overwrite is an error, with the file to change", () => {
        const { spec, ...rest } = short("jellyfin", "3");
        add("jellyfin", { ...rest, spec: { ...spec, syncPolicy: { automated: { selfHeal: true } } } });
        shareFields();
        expect(() => readApplications(root, "home")).toThrow(
            "apps/jellyfin.yaml: spec.syncPolicy.automated.selfHeal is overwritten by clusters/shared/application.yaml: " +
                "remove it here, or change it there for all Applications",
        );
    });

    test.each([
        ["no YAML", "kind: [", /shared\/application\.yaml: /],
        ["a list", "- a\n", /shared\/application\.yaml: expected the fields of an Application/],
    ])("a shared patch that is %s is an error with its path", (_, patch, message) => {
        add("jellyfin", short("jellyfin", "3"));
        shareFields(patch);
        expect(() => readApplications(root, "home")).toThrow(message);
    });

    test("a short file in a cluster without shared fields is an error that names the component", () => {
        add("jellyfin", {
            ...short("jellyfin", "3"),
            spec: { ...short("jellyfin", "3").spec, syncPolicy: { automated: {} } },
        });
        expect(() => readApplications(root, "home")).toThrow(
            /helm\.valuesObject\.global is missing: add it, or list \.\.\/shared under components in kustomization\.yaml/,
        );
    });
});
