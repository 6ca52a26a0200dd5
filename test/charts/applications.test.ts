import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { podSecurityLabel } from "../../components/pod-security";
import { charts, chartsDirectory } from "./workspace";

const clusterDirectory = resolve(__dirname, "../../clusters/home");
const applications = readdirSync(join(clusterDirectory, "apps")).map((file) => file.replace(/\.yaml$/, ""));

/** An Application, as far as every one of them is alike. */
interface Application {
    readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
    readonly spec: { readonly destination: unknown; readonly sources: readonly Readonly<Record<string, unknown>>[] };
}

const read = (path: string): unknown => parse(readFileSync(path, "utf8"));
const application = (name: string) => read(join(clusterDirectory, "apps", `${name}.yaml`)) as Application;
const chartFile = (chart: string, file: string) => readFileSync(join(chartsDirectory, chart, file), "utf8");

test("there is one for each chart", () => {
    expect(applications.sort()).toEqual([...charts].sort());
});

test("kustomization.yaml lists every one of them, and nothing else", () => {
    const { resources } = read(join(clusterDirectory, "kustomization.yaml")) as { resources: string[] };

    expect(resources).toEqual(applications.map((name) => `apps/${name}.yaml`));
});

test("each is in its tier", () => {
    const tier = (wave: string) =>
        applications.filter((name) => application(name).metadata.annotations["argocd.argoproj.io/sync-wave"] === wave);

    expect(tier("1")).toEqual(expect.arrayContaining(["cert-manager", "database"]));
    expect(tier("2")).toEqual(expect.arrayContaining(["garage", "gitops", "monitoring", "pangolin"]));
    expect([...tier("1"), ...tier("2"), ...tier("3")].sort()).toEqual(applications);
});

test.each(applications)("%s has the shape that the program and the root Application rely on", (name) => {
    const { sources, ...spec } = application(name).spec;

    expect(application(name)).toMatchObject({
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Application",
        metadata: {
            name,
            namespace: "argocd",
            annotations: { "argocd.argoproj.io/manifest-generate-paths": `/charts/${name};/charts/common` },
            finalizers: ["resources-finalizer.argocd.argoproj.io"],
        },
    });
    expect(spec).toEqual({
        project: `tier-${application(name).metadata.annotations["argocd.argoproj.io/sync-wave"]}`,
        destination: { server: "https://kubernetes.default.svc", namespace: name },
        syncPolicy: {
            automated: { prune: true, selfHeal: false },
            managedNamespaceMetadata: {
                labels: { [podSecurityLabel]: expect.stringMatching(/^(restricted|baseline|privileged)$/) },
            },
            syncOptions: ["CreateNamespace=true", "ServerSideApply=true", "Validate=false"],
            retry: { limit: 5, refresh: true, backoff: { duration: "5s", factor: 2, maxDuration: "1m" } },
        },
    });
    expect(sources[0]).toMatchObject({
        repoURL: "https://git.home.arpa/hearth/hearth.git",
        targetRevision: "main",
        path: `charts/${name}`,
        helm: { valuesObject: { global: { domain: "home.arpa" } } },
    });
    expect(sources).toHaveLength(name === "gitops" ? 2 : 1);
});

test.each(applications)("%s says why where its namespace is not restricted", (name) => {
    const text = readFileSync(join(clusterDirectory, "apps", `${name}.yaml`), "utf8");

    expect(text).toMatch(/\/enforce: restricted$|\n {8}# [^\n]+\n {8}pod-security\.kubernetes\.io\/enforce: \w+$/m);
});

describe.each(charts)("chart %s", (chart) => {
    test("is an application over the library, with a description", () => {
        expect(parse(chartFile(chart, "Chart.yaml"))).toMatchObject({
            apiVersion: "v2",
            name: chart,
            type: "application",
            description: expect.stringMatching(/^[A-Za-z].*\.$/),
            dependencies: [{ name: "common", version: "0.x.x", repository: "file://../common" }],
        });
    });

    test("tells Renovate where each version comes from", () => {
        const lines = chartFile(chart, "values.yaml").split("\n");
        const at = (index: number, pattern: RegExp) => pattern.exec(lines[index] ?? "")?.[1];
        lines.forEach((line, index) => {
            if (/^\s+tag: /.test(line)) {
                // Of an *arr, the chart makes the repository of the name.
                const repository =
                    at(index - 2, /^\s+repository: (\S+)$/) ??
                    `ghcr.io/home-operations/${at(index - 2, /^ {2}(\w+):$/)}`;
                expect(at(index - 1, /^\s+# renovate: datasource=docker depName=(\S+)$/)).toBe(repository);
            }
        });
    });
});
