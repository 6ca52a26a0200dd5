import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { Home, isReady } from "./home";

/** Milliseconds for a fresh cluster and every Application. */
const limit = 15 * 60_000;

const manifest = "sandbox/manifests/nodes.yaml";

interface Node {
    readonly metadata: { readonly name: string; readonly labels: Record<string, string> };
    readonly status: { readonly nodeInfo: { readonly architecture: string } };
}

/** The first nodes of the sandbox, of these architectures. */
function withArchitectures(text: string, architectures: readonly string[]): string {
    const nodes = parseAllDocuments(text).map((document) => document.toJS() as Node);
    return architectures
        .flatMap((architecture, index) => {
            const node = nodes[index];
            if (node === undefined) {
                return [];
            }
            const { metadata, status } = node;
            const labels = {
                ...metadata.labels,
                "beta.kubernetes.io/arch": architecture,
                "kubernetes.io/arch": architecture,
            };
            const nodeInfo = { ...status.nodeInfo, architecture };
            return stringify({ ...node, metadata: { ...metadata, labels }, status: { ...status, nodeInfo } });
        })
        .join("---\n");
}

interface Named {
    readonly metadata: { readonly name: string };
}

interface Pod extends Named {
    readonly spec: { readonly nodeName?: string };
}

/** Services that share a folder of media over NFS. */
const sharing = ["arr", "audiobookshelf", "jellyfin", "kavita", "navidrome", "qbittorrent", "tdarr"];

/** Services of a small home, none of which needs a database or media. */
const small = [
    "actual",
    "adguard",
    "freshrss",
    "gatus",
    "glance",
    "mealie",
    "ntfy",
    "searxng",
    "syncthing",
    "vaultwarden",
];

/** Memory that a k3s server takes, in MB: https://docs.k3s.io/reference/resource-profiling. */
const k3sServer = 1596;

/** No home of this table has a GPU or a public domain. */
describe.each<[string, readonly string[], readonly string[]]>([
    ["one amd64 node alone", ["amd64"], ["amd64"]],
    ["three arm64 nodes", ["arm64", "arm64", "arm64"], ["arm64"]],
    ["a server on arm64 and an agent on amd64", ["arm64", "amd64"], ["amd64", "arm64"]],
])("a home of %s", (_, nodes, architectures) => {
    let home: Home;
    let revision: string;

    beforeAll(async () => {
        home = await Home.create();
        home.edit(manifest, (text) => withArchitectures(text, nodes));
        revision = await home.commit("other machines");
    }, limit);

    afterAll(async () => home.remove(), limit);

    test(
        "has every Application Synced and Healthy, and runners and Tdarr nodes of exactly its architectures",
        async () => {
            expect(await home.start()).toHaveEndedWith(0);
            const applications = await home.applications();
            const late = [...applications].filter(([name, each]) => name !== "root" && !isReady(each, revision));

            expect(late.map(([name]) => name)).toEqual([]);
            expect(applications.size).toBe(28);
            const deployments = async (namespace: string) =>
                (await home.get<{ items: Named[] }>("deployments", `--namespace=${namespace}`)).items
                    .map(({ metadata }) => metadata.name)
                    .sort();
            expect(await deployments("gitops")).toEqual(architectures.map((each) => `runner-${each}`));
            expect(await deployments("tdarr")).toEqual([...architectures.map((each) => `node-${each}`), "tdarr"]);
        },
        limit,
    );

    test("lets a claim on a node's disk grow", async () => {
        const larger = JSON.stringify({ spec: { resources: { requests: { storage: "2Gi" } } } });

        expect(
            await home.kubectl(
                "patch",
                "pvc",
                "adguard-conf",
                "--namespace=adguard",
                "--type=merge",
                "--patch",
                larger,
            ),
        ).toHaveEndedWith(0);
    });
});

describe("a home of one node without an NFS server", () => {
    let home: Home;

    beforeAll(async () => {
        home = await Home.create();
        home.edit(manifest, (text) => withArchitectures(text, ["amd64"]));
        home.edit("Pulumi.sandbox.yaml", (text) => text.replace(/ {2}hearth:nfs:\n( {4}.*\n)+/, ""));
        await home.commit("no NAS");
    }, limit);

    afterAll(async () => home.remove(), limit);

    test(
        "reports which services it cannot have before anything is deployed",
        async () => {
            const { code, output } = await home.start();
            expect(code).not.toBe(0);
            expect(output).toContain(`set hearth:nfs: ${sharing.join(", ")} share media on an export`);
        },
        limit,
    );

    test(
        "has all the others Synced and Healthy, with large data on the node's disk and no driver for NFS",
        async () => {
            const names = readdirSync(join(home.root, "clusters/home/apps")).map((file) => file.replace(".yaml", ""));
            home.keepApplications(...names.filter((name) => !sharing.includes(name)));
            // The secrets of an omitted service.
            home.edit("Pulumi.sandbox.yaml", (text) => text.replace(/ {2}hearth:secrets:\n( {4}.*\n)+/, ""));
            const revision = await home.commit("without what shares media");
            expect(await home.start()).toHaveEndedWith(0);
            const applications = await home.applications();
            const late = [...applications].filter(([name, each]) => name !== "root" && !isReady(each, revision));

            expect(late.map(([name]) => name)).toEqual([]);
            expect(applications.size).toBe(21);
            const items = async (kind: string) => (await home.get<{ items: Named[] }>(kind)).items;
            expect((await items("storageclasses")).map(({ metadata }) => metadata.name)).toEqual(["local-path"]);
            expect((await items("csidrivers")).map(({ metadata }) => metadata.name)).toEqual([]);
        },
        limit,
    );
});

describe("a home of one node with 4 GiB, with the profile small and ten services", () => {
    let home: Home;

    beforeAll(async () => {
        home = await Home.create();
        home.edit(manifest, (text) =>
            withArchitectures(text, ["amd64"]).replaceAll(/memory: \w+/g, `memory: ${2 ** 32 - k3sServer * 1e6}`),
        );
        home.edit("Pulumi.sandbox.yaml", (text) =>
            text
                .replace(/ {2}hearth:nfs:\n( {4}.*\n)+/, "  hearth:profile: small\n")
                .replace(/ {2}hearth:secrets:\n( {4}.*\n)+/, ""),
        );
        home.keepApplications("cert-manager", "gitops", "monitoring", ...small);
        await home.commit("a small home");
    }, limit);

    afterAll(async () => home.remove(), limit);

    test(
        "has every pod on it, keeps its metrics, and runs no Loki, Alloy or runner",
        async () => {
            expect(await home.start()).toHaveEndedWith(0);
            const { items } = await home.get<{ items: Pod[] }>("pods", "--all-namespaces");
            const names = items.map(({ metadata }) => metadata.name);

            expect(items.filter(({ spec }) => spec.nodeName === undefined)).toEqual([]);
            for (const service of [...small, "prometheus", "grafana"]) {
                expect(names).toContainEqual(expect.stringContaining(service));
            }
            expect(names.filter((name) => /loki|alloy|runner/.test(name))).toEqual([]);
        },
        limit,
    );
});
