import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { type Application, readApplications } from "../../components/applications";
import {
    type ClusterValues,
    kustomizePatches,
    type OverrideSettings,
    overriddenManifest,
} from "../../components/overrides";
import { render } from "../../hack/render";
import { tool } from "../../toolchain/tools";
import { workloads } from "./manifest";
import { charts, chartsDirectory, parseManifests } from "./workspace";

const clusterDirectory = resolve(__dirname, "../../clusters/home");
const applications = readdirSync(join(clusterDirectory, "apps")).map((file) => file.replace(/\.yaml$/, ""));

/** Fields of an Application's file that a test reads. */
interface File {
    readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
}

const read = (path: string): unknown => parse(readFileSync(path, "utf8"));
const application = (name: string) => read(join(clusterDirectory, "apps", `${name}.yaml`)) as File;
const chartFile = (chart: string, file: string) => readFileSync(join(chartsDirectory, chart, file), "utf8");

test("each chart has one", () => {
    expect(applications.sort()).toEqual([...charts].sort());
});

test("kustomization.yaml lists all of them, and nothing else", () => {
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

/** Rendering of the root Application, from clusters/ of a checkout and the program's patches. */
function kustomized(root: string, cluster: string, values?: ClusterValues, given = settings) {
    const directory = mkdtempSync(join(tmpdir(), "hearth-kustomize-"));
    try {
        cpSync(join(root, "clusters"), join(directory, "clusters"), { recursive: true });
        const file = join(directory, "clusters", cluster, "kustomization.yaml");
        const patches = kustomizePatches(readApplications(root, cluster), given, values);
        writeFileSync(file, stringify({ ...(read(file) as object), patches }));
        const text = execFileSync(tool("kustomize"), ["build", join(directory, "clusters", cluster)], {
            encoding: "utf8",
        });
        return parseManifests(text);
    } finally {
        rmSync(directory, { recursive: true });
    }
}

const settings: OverrideSettings = {
    domain: "home.example.com",
    repository: { url: "https://git.example.com/home.git", revision: "trunk" },
    charts: { repository: "http://127.0.0.1:8080" },
    nfs: { server: "nas", path: "/export" },
    letsencrypt: { email: "me@example.com", provider: "cloudflare", staging: false },
};

describe.each<[string, ClusterValues | undefined]>([
    ["that is known", { architectures: ["arm64"], addresses: { traefik: "10.0.0.1", adguard: "10.0.0.9" } }],
    ["that is not known", undefined],
])("in a cluster %s", (_, values) => {
    const byName = (manifests: readonly { readonly metadata: { readonly name: string } }[]) =>
        Object.fromEntries(manifests.map((each) => [each.metadata.name, each]));

    test("Pulumi and the root Application apply the same Applications", () => {
        const root = resolve(__dirname, "../..");
        const ofPulumi = readApplications(root, "home").map((each) => overriddenManifest(each, settings, values));

        expect(byName(kustomized(root, "home", values))).toEqual(byName(ofPulumi));
    });

    test("with the profile `small`, too, whose value files come after the others", () => {
        const root = resolve(__dirname, "../..");
        const small: OverrideSettings = { ...settings, profile: "small" };
        const ofPulumi = readApplications(root, "home").map((each) => overriddenManifest(each, small, values));

        expect(byName(kustomized(root, "home", values, small))).toEqual(byName(ofPulumi));
        const files = Object.fromEntries(
            ofPulumi.map(({ metadata, spec }) => [metadata.name, spec.sources.map(({ helm }) => helm?.valueFiles)]),
        );
        expect(files).toMatchObject({
            gitops: [
                ["small.yaml"],
                ["$values/charts/gitops/argo-cd.values.yaml", "$values/charts/gitops/argo-cd.small.yaml"],
            ],
            monitoring: [["small.yaml"]],
            jellyfin: [undefined],
        });
    });
});

test.each([
    ["database", "infrastructure"],
    ["garage", "platform"],
    ["jellyfin", "apps"],
])("the pods of %s have the priority class of its tier, %s", async (name, priorityClass) => {
    const root = resolve(__dirname, "../..");
    const application = readApplications(root, "home").find((each) => each.name === name);
    const text = await render(root, application as Application, settings);

    const classes = workloads(parseManifests(text)).map(({ template }) => template.spec?.priorityClassName);
    expect(new Set(classes)).toEqual(new Set([priorityClass]));
});

test.each(applications)("%s has at most 20 lines, and explains a namespace that is not restricted", (name) => {
    const text = readFileSync(join(clusterDirectory, "apps", `${name}.yaml`), "utf8");

    expect(text.trim().split("\n").length).toBeLessThanOrEqual(20);
    expect(text).not.toMatch(/(?<! {4}# [^\n]+\n) {4}pod-security\.kubernetes\.io\/enforce:/);
});

describe.each(charts)("chart %s", (chart) => {
    test("depends on the library chart, and has a description", () => {
        expect(parse(chartFile(chart, "Chart.yaml"))).toMatchObject({
            apiVersion: "v2",
            name: chart,
            type: "application",
            description: expect.stringMatching(/^[A-Za-z].*\.$/),
            dependencies: [{ name: "common", version: "0.x.x", repository: "file://../common" }],
        });
    });

    test("annotates each version for Renovate", () => {
        const lines = chartFile(chart, "values.yaml").split("\n");
        const at = (index: number, pattern: RegExp) => pattern.exec(lines[index] ?? "")?.[1];
        lines.forEach((line, index) => {
            if (/^\s+tag: /.test(line)) {
                // For an *arr, the chart derives the repository from the name.
                const repository =
                    at(index - 2, /^\s+repository: (\S+)$/) ??
                    `ghcr.io/home-operations/${at(index - 2, /^ {2}(\w+):$/)}`;
                expect(at(index - 1, /^\s+# renovate: datasource=docker depName=(\S+)$/)).toBe(repository);
            }
        });
    });
});
