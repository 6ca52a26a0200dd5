import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { readApplications } from "../../../components/applications";
import { readSecretDeclarations } from "../../../components/secret-declarations";

const source = {
    repoURL: "https://git.home.arpa/hearth/hearth.git",
    targetRevision: "main",
    path: "charts/a",
    ref: "values",
    helm: { valuesObject: { global: { domain: "home.arpa" } } },
};
const good = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: { name: "a", namespace: "argocd", annotations: { "argocd.argoproj.io/sync-wave": "2" } },
    spec: {
        destination: { server: "https://kubernetes.default.svc", namespace: "a" },
        sources: [source] as object[],
        syncPolicy: { automated: { prune: true } } as object,
    },
};
const upstream = { repoURL: "https://charts.example.com", chart: "x", targetRevision: "1.2.3" };
const withSpec = (spec: object) => ({ ...good, spec: { ...good.spec, ...spec } });
const withHelm = (helm: object) => withSpec({ sources: [{ ...source, helm: { ...source.helm, ...helm } }] });

let root: string;

beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "hearth-applications-"));
    mkdirSync(join(root, "clusters/home/apps"), { recursive: true });
    mkdirSync(join(root, "charts/a"), { recursive: true });
    writeFileSync(join(root, "charts/a/Chart.yaml"), "name: a\n");
    for (const file of ["values.yaml", "x.yaml"]) {
        writeFileSync(join(root, "charts/a", file), "{}\n");
    }
});

afterEach(() => rmSync(root, { recursive: true }));

function read(document: object | string, file = "a.yaml") {
    writeFileSync(
        join(root, "clusters/home/apps", file),
        typeof document === "string" ? document : stringify(document),
    );
    return readApplications(root, "home");
}

describe("kind 5: Applications as people write them", () => {
    test.each<[string, object | string, RegExp]>([
        [
            "a single source (B29)",
            withSpec({ source, sources: undefined }),
            /unknown spec\.source: expected spec\.sources/,
        ],
        [
            "an ApplicationSet (B29)",
            { ...good, kind: "ApplicationSet" },
            /invalid kind: got "ApplicationSet", expected "Application"/,
        ],
        [
            "no annotations (B29)",
            { ...good, metadata: { name: "a", namespace: "argocd" } },
            /invalid metadata\.annotations: got nothing, expected the annotation .*sync-wave, the tier/,
        ],
        [
            "a second source of Git (B29)",
            withSpec({ sources: [source, { repoURL: source.repoURL, targetRevision: "main", ref: "values" }] }),
            /sources\[1\]\.chart: got nothing, expected the name of an upstream chart/,
        ],
        ["an empty file (B29)", "", /a\.yaml: empty/],
        [
            "several documents (B29)",
            `${stringify(good)}---\n${stringify(good)}`,
            /several documents, where one is expected/,
        ],
        [
            "no automated sync (B24)",
            withSpec({ syncPolicy: undefined }),
            /spec\.syncPolicy: got nothing, expected automated sync/,
        ],
        [
            "automated sync that is off (B24)",
            withSpec({ syncPolicy: { automated: { enabled: false } } }),
            /automated\.enabled: got the boolean false, expected true/,
        ],
        [
            "Helm parameters (B25)",
            withHelm({ parameters: [{ name: "a", value: "b" }] }),
            /unknown spec\.sources\[0\]\.helm\.parameters: expected one of releaseName, valueFiles, valuesObject/,
        ],
        [
            "Helm values as text (B25)",
            withHelm({ values: "a: 1" }),
            /unknown spec\.sources\[0\]\.helm\.values: expected one of/,
        ],
        [
            "a namespace of Kubernetes (B21)",
            withSpec({ destination: { namespace: "kube-system" } }),
            /invalid spec\.destination\.namespace: got "kube-system"/,
        ],
        [
            "the default namespace (B21)",
            withSpec({ destination: { namespace: "default" } }),
            /expected a namespace of its own/,
        ],
        [
            "another cluster",
            withSpec({ destination: { namespace: "a", server: "https://10.0.0.1:6443" } }),
            /destination\.server: got .*expected "https:\/\/kubernetes\.default\.svc"/,
        ],
        [
            "an octal mode (B28)",
            stringify(good).replace("domain: home.arpa", "domain: home.arpa\n            mode: 0644"),
            /unquoted 0644 .*write "0644", or 420/,
        ],
        [
            "a number as revision",
            withSpec({ sources: [{ ...source, targetRevision: 1.1 }] }),
            /targetRevision: got the number 1\.1, expected .*in quotes/,
        ],
        [
            "a registry with oci://",
            withSpec({ sources: [source, { ...upstream, repoURL: "oci://ghcr.io/x" }] }),
            /a registry without oci:\/\//,
        ],
        [
            "a Git repository as upstream chart",
            withSpec({ sources: [source, { ...upstream, repoURL: "git@github.com:x/charts.git" }] }),
            /a Helm repository, not one of Git/,
        ],
        [
            "one that kubectl copied from the cluster",
            { ...good, metadata: { ...good.metadata, resourceVersion: "5", uid: "x" }, status: {} },
            /unknown metadata\.resourceVersion: [\s\S]*unknown metadata\.uid: [\s\S]*unknown status: /,
        ],
        [
            "one that SOPS encrypted, which no Argo CD here decrypts",
            { ...good, sops: {} },
            /unknown sops: expected one of/,
        ],
        ["one that starts a sync by itself", { ...good, operation: { sync: {} } }, /unknown operation: /],
        ["a hydrated source", withSpec({ sourceHydrator: {} }), /unknown spec\.sourceHydrator: /],
        ["a map of sources", withSpec({ sources: source }), /invalid spec\.sources: got an object, expected a list/],
        [
            "options of the sync in one string",
            withSpec({ syncPolicy: { automated: {}, syncOptions: "CreateNamespace=true" } }),
            /syncOptions: got "CreateNamespace=true", expected a list/,
        ],
        [
            "a merge conflict",
            stringify(good).replace("kind: ", "<<<<<<< HEAD\nkind: Application\n=======\n>>>>>>> other\nkind: "),
            /a\.yaml: line 2: a merge conflict: keep the lines of one side and remove the markers/,
        ],
        [
            "a reference to nothing",
            withSpec({ sources: [source, { ...upstream, helm: { valueFiles: ["$other/x.yaml"] } }] }),
            /unknown reference "\$other\/x\.yaml": expected \$values/,
        ],
    ])("rejects %s with a message", (_, document, message) => {
        expect(() => read(document)).toThrow(message);
    });

    test.each([
        ["a trailing separator", `${stringify(good)}---\n`],
        ["a comment before the first separator", `# mine\n---\n${stringify(good)}`],
        ["the cluster by its name", stringify(withSpec({ destination: { name: "in-cluster", namespace: "a" } }))],
        ["value files outside the chart", stringify(withHelm({ valueFiles: ["values.yaml"] }))],
        [
            "an upstream chart",
            stringify(
                withSpec({ sources: [source, { ...upstream, helm: { valueFiles: ["$values/charts/a/x.yaml"] } }] }),
            ),
        ],
        ["an OCI chart", stringify(withSpec({ sources: [source, { ...upstream, repoURL: "ghcr.io/org/charts" }] }))],
        [
            "merge keys",
            stringify(good).replace(
                "domain: home.arpa",
                "domain: home.arpa\n            a: &c { b: 1 }\n            d: { <<: *c }",
            ),
        ],
    ])("accepts %s", (_, document) => {
        expect(read(document)).toMatchObject([{ name: "a", namespace: "a", tier: 2 }]);
    });

    test("upstream charts are for tier 2, whose project allows their kinds", () => {
        const metadata = { ...good.metadata, annotations: { "argocd.argoproj.io/sync-wave": "3" } };
        expect(() => read({ ...withSpec({ sources: [source, upstream] }), metadata })).toThrow(
            /expected "2": the project/,
        );
    });

    test.each(["a.yml", "a.YAML", "a.json"])("a file called %s is reported as no Application (B23)", (file) => {
        expect(() => read(good, file)).toThrow(
            /a file with this name is not read as an Application: rename it to <application>\.yaml/,
        );
    });

    test("files in the chart's folder that change its Application are rejected (B25)", () => {
        writeFileSync(join(root, "charts/a/.argocd-source-a.yaml"), "helm: {}\n");
        expect(() => read(good)).toThrow(/\.argocd-source-a\.yaml changes this Application without its file/);
    });

    test("reports an Application that the kustomization does not list, which Argo CD would not see", () => {
        writeFileSync(join(root, "clusters/home/kustomization.yaml"), "resources: [apps/b.yaml]\n");
        expect(() => read(good)).toThrow(/apps\/a\.yaml is missing[\s\S]*apps\/b\.yaml does not exist/);
    });

    test("reports a vendored chart that Git ignores, which Argo CD would not see (B36)", () => {
        execFileSync("git", ["init", "--quiet"], { cwd: root });
        writeFileSync(join(root, ".gitignore"), "*.tgz\n");
        mkdirSync(join(root, "charts/a/charts"));
        writeFileSync(join(root, "charts/a/charts/redis-1.0.0.tgz"), "x");
        expect(() => read(good)).toThrow(/charts\/a\/charts\/redis-1\.0\.0\.tgz: ignored by Git.*git add --force/);
        execFileSync("git", ["add", "--force", "charts"], { cwd: root });
        expect(read(good)).toHaveLength(1);
    });

    test("a file in Git LFS is rejected, since Argo CD sees only a pointer", () => {
        execFileSync("git", ["init", "--quiet"], { cwd: root });
        writeFileSync(join(root, ".gitattributes"), "*.tgz filter=lfs\n");
        mkdirSync(join(root, "charts/a/charts"));
        writeFileSync(join(root, "charts/a/charts/redis-1.0.0.tgz"), "x");
        execFileSync("git", ["-c", "filter.lfs.clean=cat", "add", "charts"], { cwd: root });
        expect(() => read(good)).toThrow(/redis-1\.0\.0\.tgz: stored in Git LFS, so Argo CD would see only a pointer/);
    });

    test.each([
        ["null (B39)", "secrets:\n"],
        ["missing", "x: 1\n"],
        ["empty (B39)", ""],
    ])("a secrets.yaml whose secrets are %s is rejected with a message", (_, content) => {
        writeFileSync(join(root, "charts/a/secrets.yaml"), content);
        expect(() => readSecretDeclarations(root, ["a"])).toThrow(
            /charts\/a\/secrets\.yaml: (invalid secrets: got nothing, expected|empty)/,
        );
    });
});

describe("kind 5: another file type where a file or a folder is expected", () => {
    test.each<[string, () => void, RegExp]>([
        [
            "a folder for an Application",
            () => mkdirSync(join(root, "clusters/home/apps/d.yaml")),
            /d\.yaml: not a file/,
        ],
        [
            "a link to nothing",
            () => symlinkSync("/nowhere", join(root, "clusters/home/apps/e.yaml")),
            /e\.yaml: not a file/,
        ],
        [
            "a folder for a chart's values",
            () => {
                rmSync(join(root, "charts/a/values.yaml"));
                mkdirSync(join(root, "charts/a/values.yaml"));
            },
            /charts\/a\/values\.yaml: not a file/,
        ],
        [
            "a file for a chart",
            () => {
                rmSync(join(root, "charts/a"), { recursive: true });
                writeFileSync(join(root, "charts/a"), "");
            },
            /charts\/a\/Chart\.yaml does not exist/,
        ],
    ])("%s is reported", (_, change, message) => {
        change();
        expect(() => read(good)).toThrow(message);
    });

    test.each<[string, () => void, object, RegExp]>([
        [
            "the chart's values (B52)",
            () => writeFileSync(join(root, "charts/a/values.yaml"), "workloads:\n  a:\n    env:\n      X: null\n"),
            good,
            /charts\/a\/values\.yaml: invalid workloads\.a\.env\.X: got nothing/,
        ],
        [
            "a value file of the Application",
            () => writeFileSync(join(root, "charts/a/x.yaml"), 'workloads: {a: {env: {X: "{{ title }}"}}}\n'),
            withHelm({ valueFiles: ["x.yaml"] }),
            /charts\/a\/x\.yaml: invalid workloads\.a\.env\.X: got "\{\{ title \}\}"/,
        ],
        [
            "the Application itself",
            () => {},
            withHelm({ valuesObject: { ...source.helm.valuesObject, workloads: { a: { env: { X: null } } } } }),
            /spec\.sources\[0\]\.helm\.valuesObject: invalid workloads\.a\.env\.X: got nothing/,
        ],
    ])("keys of %s that Helm would drop are rejected", (_, change, document, message) => {
        change();
        expect(() => read(document)).toThrow(message);
    });

    test("a value file that does not exist is reported", () => {
        expect(() => read(withHelm({ valueFiles: ["absent.yaml"] }))).toThrow(
            /unknown value file charts\/a\/absent\.yaml/,
        );
        writeFileSync(join(root, "charts/a/absent.yaml"), "a: 1\n");
        expect(read(withHelm({ valueFiles: ["absent.yaml"] }))).toHaveLength(1);
    });
});
