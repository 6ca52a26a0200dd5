import { gzipSync } from "node:zlib";
import {
    installArguments,
    uninstallArguments,
    upgradeArguments,
} from "../../sandbox/plugins/kubernetes/release/arguments";
import { resolveChartName } from "../../sandbox/plugins/kubernetes/release/chart";
import { diffRelease } from "../../sandbox/plugins/kubernetes/release/diff";
import { errorOf } from "../../sandbox/plugins/kubernetes/release/helm";
import { decodeRelease, parseValues, setDefaults } from "../../sandbox/plugins/kubernetes/release/inputs";
import { definitionsIn, resourceNames } from "../../sandbox/plugins/kubernetes/release/manifest";
import { releaseState } from "../../sandbox/plugins/kubernetes/release/state";
import { fileInArchive } from "../../sandbox/plugins/kubernetes/release/tar";
import { Asset, type Properties, Secret, secret, unknown } from "../../sandbox/plugins/shared/values";

describe("arguments", () => {
    test("values of files are merged in order, below the values", async () => {
        const release = await decodeRelease({
            chart: "c",
            valueYamlFiles: [new Asset({ text: "a: 1\nb: {x: 1, z: 1}" }), new Asset({ text: "b: {z: 2}\nc: yes" })],
            values: { b: { z: 3 }, d: new Secret("s") },
        });
        expect(release.values).toEqual({ a: 1, b: { x: 1, z: 3 }, c: true, d: "s" });
    });

    test("of the wrong type are refused", async () => {
        await expect(decodeRelease({ chart: "c", atomic: "yes" })).rejects.toThrow("'atomic' expected type 'boolean'");
    });

    test("YAML is read as Helm reads it", () => {
        expect(parseValues("on: off\nport: 0777\ntime: 12:30:45\nday: 2026-01-02\nversion: 1.10")).toEqual({
            true: false,
            port: 511,
            time: "12:30:45",
            day: "2026-01-02",
            version: 1.1,
        });
    });

    test.each<[Properties, Properties]>([
        [{}, { namespace: "default", timeout: 300 }],
        [
            { namespace: "n", timeout: 0 },
            { namespace: "n", timeout: 0 },
        ],
        [{ skipAwait: true }, { namespace: "default", skipAwait: true }],
    ])("%j become %j", (inputs, expected) => {
        setDefaults(inputs, "default");
        expect(inputs).toEqual(expected);
    });

    test("become helm's; values, password and kubeconfig are not among them", async () => {
        const release = await decodeRelease({
            name: "r",
            chart: "c",
            namespace: "n",
            createNamespace: true,
            atomic: true,
            waitForJobs: true,
            maxHistory: 3,
            values: { password: new Secret("hunter2") },
            repositoryOpts: { repo: "http://x", username: "u", password: new Secret("hunter2") },
        });
        const install = installArguments(release, "/c.tgz");
        expect(install).toEqual([
            ...["install", "r", "/c.tgz", "--values", "-", "--timeout", "300s", "--wait", "--wait-for-jobs"],
            ...["--atomic", "--create-namespace"],
        ]);
        expect(upgradeArguments(release, "/c.tgz")).toEqual([
            ...["upgrade", "r", "/c.tgz", "--values", "-", "--history-max", "3", "--timeout", "300s", "--wait"],
            ...["--wait-for-jobs", "--atomic"],
        ]);
        expect(JSON.stringify(install)).not.toContain("hunter2");
    });

    test.each<[Properties, readonly string[]]>([
        [{ name: "r", timeout: 60 }, ["uninstall", "r", "--wait", "--timeout", "60s"]],
        [{ name: "r", skipAwait: true }, ["uninstall", "r"]],
    ])("uninstall of %j", async (inputs, expected) => {
        expect(uninstallArguments(await decodeRelease(inputs))).toEqual(expected);
    });
});

test.each<[string, string, { name: string; repo: string }]>([
    ["http://charts", "web", { name: "web", repo: "http://charts" }],
    ["stable", "web", { name: "stable/web", repo: "" }],
    ["", "./web", { name: "./web", repo: "" }],
    ["http://charts", "oci://registry/web", { name: "oci://registry/web", repo: "" }],
])("repository %s and chart %s", (repository, chart, expected) => {
    expect(resolveChartName(repository, chart)).toEqual(expected);
});

describe("a changed release", () => {
    const inputs = { name: "r", namespace: "n", version: "1.0.0", values: { a: 1, b: { c: 2 } } };
    const state: Properties = {
        ...inputs,
        status: { revision: 1 },
        values: { a: 1, b: { c: 2 }, fromHelm: true },
        __inputs: secret(inputs),
    };
    const diff = (news: Properties, ignoreChanges: string[] = []) => {
        const request = { urn: "", type: "", name: "", id: "n/r", olds: state, oldInputs: inputs };
        const { changes, replaces, detailed } = diffRelease({ ...request, news, ignoreChanges });
        return { changes, replaces, paths: [...(detailed?.keys() ?? [])] };
    };

    test.each<[string, Properties, readonly string[]]>([
        ["nothing", inputs, []],
        ["a value", { ...inputs, values: { a: 2, b: { c: 2 } } }, ["values.a"]],
        ["a value that goes", { ...inputs, values: { a: 1, b: {} } }, ["values.b.c"]],
        ["a new value", { ...inputs, values: { ...inputs.values, z: 1 } }, ["values.z"]],
        ["a value not known yet", { ...inputs, values: { a: unknown, b: { c: 2 } } }, ["values.a"]],
        ["the version", { ...inputs, version: "1.1.0" }, ["version"]],
    ])("%s", (_, news, paths) => {
        expect(diff(news)).toEqual({ changes: paths.length > 0, replaces: paths.length > 0 ? [] : undefined, paths });
    });

    test("name and namespace replace it", () => {
        expect(diff({ ...inputs, name: "s", namespace: "m" }).replaces).toEqual(["name", "namespace"]);
    });

    test("the version can be ignored", () => {
        expect(diff({ ...inputs, version: "2.0.0" }, ["version"]).changes).toBe(false);
    });
});

describe("the state", () => {
    test("keeps values secret that the program marks, and the inputs as a whole", async () => {
        const inputs = { name: "r", values: { open: 1, hidden: new Secret("s") } };
        const state = releaseState(inputs, await decodeRelease(inputs), false);
        expect(state["values"]).toEqual({ open: 1, hidden: new Secret("s") });
        expect(state["__inputs"]).toEqual(new Secret(inputs));
        expect(state["atomic"]).toBe(false);
    });

    test("is open in a preview", async () => {
        const state = releaseState({ name: "r" }, await decodeRelease({ name: "r" }), true);
        expect(state).toMatchObject({ status: unknown, resourceNames: unknown });
    });
});

describe("a manifest", () => {
    const manifest = `---
# Source: c/templates/all.yaml
apiVersion: v1
kind: Service
metadata:
  labels:
    name: not-this
  name: web
---
apiVersion: apps/v1
kind: Deployment
metadata:
    name: "web"
    namespace: other
spec:
  template:
    metadata:
      name: inner
---
{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "json"}}
---
# only a comment
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec: {group: example.com, names: {kind: Thing}, scope: Cluster}
`;

    test("names its objects by kind", () => {
        expect(resourceNames(manifest)).toEqual({
            "ConfigMap/v1": ["json"],
            "CustomResourceDefinition.apiextensions.k8s.io/apiextensions.k8s.io/v1": ["things.example.com"],
            "Deployment.apps/apps/v1": ["other/web"],
            "Service/v1": ["web"],
        });
    });

    test("has the definitions of its custom kinds", () => {
        expect(definitionsIn(manifest)).toEqual([expect.objectContaining({ kind: "CustomResourceDefinition" })]);
    });
});

test("a file is found in an archive", () => {
    const entry = (name: string, text: string) => {
        const header = Buffer.alloc(512);
        header.write(name);
        header.write(text.length.toString(8).padStart(11, "0"), 124);
        return Buffer.concat([header, Buffer.from(text.padEnd(512, "\0"))]);
    };
    const archive = gzipSync(
        Buffer.concat([entry("c/values.yaml", "a: 1"), entry("c/Chart.yaml", "version: 1.2.3"), Buffer.alloc(1024)]),
    );
    expect(fileInArchive(archive, /^[^/]+\/Chart\.yaml$/)).toBe("version: 1.2.3");
    expect(fileInArchive(archive, /nothing/)).toBeUndefined();
});

test.each([
    [
        "Error: INSTALLATION FAILED: cannot re-use a name that is still in use\n",
        "cannot re-use a name that is still in use",
    ],
    ["WARNING: old\nError: chart not found\n", "chart not found"],
    ["no such command", "no such command"],
])("helm's error in %j", (stderr, expected) => {
    expect(errorOf(stderr)).toBe(expected);
});
