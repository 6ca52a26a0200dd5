import { forceNewPaths } from "../../sandbox/plugins/kubernetes/force-new";
import { detailedDiff, formatPath, isWithin, mergePatch, parsePath } from "../../sandbox/plugins/shared/property-diff";
import { type Properties, unknown } from "../../sandbox/plugins/shared/values";

const immutable = { secrets: false, configMaps: false };

/** Differences as `path: kind`, with an exclamation mark where they replace. */
function differences(old: Properties, news: Properties, olds: Properties = old): Record<string, string> {
    const diff = detailedDiff(mergePatch(old, news), old, news, olds, forceNewPaths(news, immutable));
    return Object.fromEntries([...diff].map(([path, { kind, replace }]) => [path, replace ? `${kind}!` : kind]));
}

const deployment = { apiVersion: "apps/v1", kind: "Deployment" };
const configMap = { apiVersion: "v1", kind: "ConfigMap" };
const secretKind = { apiVersion: "v1", kind: "Secret" };

describe("a changed object", () => {
    test.each<[string, Properties, Properties, Record<string, string>]>([
        ["nothing", { a: 1, b: { c: [1] } }, { b: { c: [1] }, a: 1 }, {}],
        ["a changed value", { spec: { a: 1 } }, { spec: { a: 2 } }, { "spec.a": "update" }],
        ["an added value", { spec: {} }, { spec: { a: 2 } }, { "spec.a": "add" }],
        ["a removed value", { spec: { a: 1, b: 2 } }, { spec: { b: 2 } }, { "spec.a": "delete" }],
        ["an element", { l: [1, 2] }, { l: [1, 3] }, { "l[1]": "update" }],
        ["a longer list", { l: [1] }, { l: [1, 3] }, { "l[1]": "add" }],
        ["a shorter list", { l: [1, 2] }, { l: [1] }, { "l[1]": "delete" }],
        ["a field in a list", { l: [{ a: 1, b: 2 }] }, { l: [{ a: 1 }] }, { "l[0].b": "delete" }],
        ["a value not known yet", { a: 1 }, { a: unknown }, { a: "update" }],
        ["a new value not known yet", {}, { a: unknown }, { a: "add" }],
        ["another type", { a: 1 }, { a: { b: 1 } }, { a: "update" }],
        ["a key with dots", { m: { "a.b/c": "1" } }, { m: { "a.b/c": "2" } }, { 'm["a.b/c"]': "update" }],
    ])("%s", (_, old, news, expected) => {
        expect(differences(old, news)).toEqual(expected);
    });

    test("what only the server has set is no difference", () => {
        expect(differences({ spec: { a: 1, clusterIP: "x" } }, { spec: { a: 1 } }, { spec: { a: 1 } })).toEqual({});
    });
});

describe("a replacement", () => {
    const selector = (app: string) => ({ ...deployment, spec: { selector: { matchLabels: { app } } } });
    test.each<[string, Properties, Properties, Record<string, string>]>([
        ["another name", { metadata: { name: "a" } }, { metadata: { name: "b" } }, { "metadata.name": "update!" }],
        [
            "another namespace",
            { metadata: { namespace: "a" } },
            { metadata: { namespace: "b" } },
            { "metadata.namespace": "update!" },
        ],
        ["a Deployment's selector", selector("a"), selector("b"), { "spec.selector.matchLabels.app": "update!" }],
        [
            "a Deployment's replicas stay in place",
            { ...deployment, spec: { replicas: 1 } },
            { ...deployment, spec: { replicas: 2 } },
            { "spec.replicas": "update" },
        ],
        [
            "a ConfigMap's data",
            { ...configMap, data: { a: "1" } },
            { ...configMap, data: { a: "2" } },
            { "data.a": "update!" },
        ],
        [
            "a Secret's data",
            { ...secretKind, data: { a: "MQ==" } },
            { ...secretKind, data: { a: "Mg==" } },
            { "data.a": "update!" },
        ],
        [
            "a StorageClass' parameters",
            { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", parameters: { server: "a" } },
            { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", parameters: { server: "b" } },
            { "parameters.server": "update!" },
        ],
        [
            "a Pod's image",
            { apiVersion: "v1", kind: "Pod", spec: { containers: [{ image: "a" }] } },
            { apiVersion: "v1", kind: "Pod", spec: { containers: [{ image: "b" }] } },
            { "spec.containers[0].image": "update!" },
        ],
        [
            "a custom resource's spec stays in place",
            { apiVersion: "argoproj.io/v1alpha1", kind: "Application", spec: { a: 1 } },
            { apiVersion: "argoproj.io/v1alpha1", kind: "Application", spec: { a: 2 } },
            { "spec.a": "update" },
        ],
    ])("%s", (_, old, news, expected) => {
        expect(differences(old, news)).toEqual(expected);
    });

    test("a Secret may be made mutable", () => {
        const paths = forceNewPaths(secretKind, { secrets: true, configMaps: false });
        expect(paths).not.toContain("data");
        expect(forceNewPaths({ ...secretKind, immutable: true }, { secrets: true, configMaps: false })).toContain(
            "data",
        );
    });
});

describe("property paths", () => {
    test.each([["a.b[0].c"], ['metadata.annotations["argocd.argoproj.io/refresh"]'], ['["a.b"][3]']])("%s", (path) => {
        expect(formatPath(parsePath(path))).toBe(path);
    });

    test.each<[string, string, boolean]>([
        ["spec.a.b", "spec.a", true],
        ["spec.a", "spec.a", true],
        ["spec", "spec.a", false],
        ["spec.l[2].x", "spec.l[*].x", true],
        ['metadata.annotations["a/b"]', 'metadata.annotations["a/b"]', true],
        ['metadata.annotations["a/c"]', 'metadata.annotations["a/b"]', false],
    ])("%s is within %s: %s", (path, ignored, expected) => {
        expect(isWithin(parsePath(path), parsePath(ignored))).toBe(expected);
    });
});
