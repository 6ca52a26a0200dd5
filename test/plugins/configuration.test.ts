import {
    checkConfiguration,
    diffConfiguration,
    readConfiguration,
} from "../../sandbox/plugins/kubernetes/configuration";
import { activeContext, readKubeconfig } from "../../sandbox/plugins/kubernetes/kubeconfig";
import { openSession, Unreachable } from "../../sandbox/plugins/kubernetes/session";
import { type Properties, Secret, unknown } from "../../sandbox/plugins/shared/values";

const resource = {
    urn: "urn:pulumi:s::p::pulumi:providers:kubernetes::k",
    type: "pulumi:providers:kubernetes",
    name: "k",
};
const kubeconfig = (server: string, context = "c") =>
    JSON.stringify({
        clusters: [{ name: "k", cluster: { server } }],
        contexts: [{ name: "c", context: { cluster: "k", user: "u", namespace: "team" } }],
        users: [{ name: "u", user: { token: "t" } }],
        "current-context": context,
    });

const variables = (settings: Record<string, string>) =>
    new Map(Object.entries(settings).map(([key, value]) => [`kubernetes:config:${key}`, value]));

test("the configuration's defaults", () => {
    expect(readConfiguration(new Map())).toMatchObject({
        serverSideApply: true,
        upsert: false,
        deleteUnreachable: false,
    });
});

test("what is set counts", () => {
    const set = {
        enableServerSideApply: "false",
        upsertExistingObjects: "true",
        helmReleaseSettings: '{"driver":"configmap"}',
    };
    expect(readConfiguration(variables(set))).toMatchObject({
        serverSideApply: false,
        upsert: true,
        helm: { driver: "configmap" },
    });
});

describe("another cluster", () => {
    const diff = (oldInputs: Properties, news: Properties) =>
        diffConfiguration({ ...resource, id: "x", olds: {}, oldInputs, news, ignoreChanges: [] });
    const [a, b] = [kubeconfig("https://a"), kubeconfig("https://b")];

    test.each<[string, Properties, Properties, boolean, readonly string[]]>([
        ["the same", { kubeconfig: a }, { kubeconfig: a }, false, []],
        ["the same, secret now", { kubeconfig: a }, { kubeconfig: new Secret(a) }, false, []],
        ["another server", { kubeconfig: a }, { kubeconfig: b }, true, ["kubeconfig"]],
        ["another setting", { kubeconfig: a }, { kubeconfig: a, upsertExistingObjects: "true" }, true, []],
        ["not known yet", { kubeconfig: a }, { kubeconfig: unknown }, true, ["kubeconfig"]],
        [
            "another server of the same identity",
            { kubeconfig: a, clusterIdentifier: "home" },
            { kubeconfig: b, clusterIdentifier: "home" },
            true,
            [],
        ],
        [
            "another identity",
            { kubeconfig: a, clusterIdentifier: "home" },
            { kubeconfig: a, clusterIdentifier: "away" },
            true,
            ["clusterIdentifier"],
        ],
    ])("%s", (_, oldInputs, news, changes, replaces) => {
        const response = diff(oldInputs, news);
        expect({ changes: response.changes, replaces: response.replaces ?? [] }).toEqual({ changes, replaces });
    });
});

test("rendering and a cluster do not go together", () => {
    const news = { renderYamlToDirectory: "out", context: "c" };
    const request = { ...resource, olds: undefined, news, randomSeed: new Uint8Array(), autonaming: undefined };
    expect(checkConfiguration(request)).toEqual([
        { property: "context", reason: '"context" arg is not compatible with "renderYamlToDirectory" arg' },
    ]);
});

describe("a kubeconfig", () => {
    const none = { context: "", cluster: "", namespace: "" };

    test("given by its contents", () => {
        expect(activeContext(readKubeconfig(kubeconfig("https://a")), none)).toMatchObject({
            cluster: { server: "https://a" },
            user: { token: "t" },
            namespace: "team",
        });
    });

    test("that does not have its context", () => {
        expect(() => activeContext(readKubeconfig(kubeconfig("https://a", "d")), none)).toThrow(
            "context was not found for specified context: d",
        );
        expect(() => activeContext(readKubeconfig(kubeconfig("https://a")), { ...none, context: "e" })).toThrow(
            'context "e" does not exist',
        );
    });

    test.each<[string, string]>([
        [
            "no/such/file",
            "failed to parse kubeconfig data in `kubernetes:config:kubeconfig`- couldn't get version/kind",
        ],
        ["{}", "no configuration has been provided"],
        [
            kubeconfig("https://127.0.0.1:1"),
            'Get "https://127.0.0.1:1/openapi/v2?timeout=32s": dial tcp 127.0.0.1:1: connect: connection refused',
        ],
    ])("%s makes the cluster unreachable, and tells why", async (text, reason) => {
        const host = { log: () => {}, status: () => {} };
        const configuration = readConfiguration(variables({ kubeconfig: text }));
        const { cluster } = await openSession(configuration, host, new AbortController().signal);
        expect(cluster).toBeInstanceOf(Unreachable);
        expect((cluster as Unreachable).reason).toContain(reason);
    });
});
