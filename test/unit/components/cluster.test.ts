import * as pulumi from "@pulumi/pulumi";
import { askCluster, checkCluster, readCluster } from "../../../components/cluster";
import { type ApiServer, kubeconfigOf, serveApi } from "./api-server";
import { mockEngine } from "./mocks";

/** An existing k3s: two nodes, a GPU, a board of an architecture without images, ServiceLB. */
const objects: Readonly<Record<string, object>> = {
    "/api/v1/nodes": {
        items: [
            {
                metadata: { name: "shelf" },
                status: {
                    nodeInfo: { architecture: "arm64" },
                    allocatable: { cpu: "4", memory: "3000000Ki", "gpu.intel.com/i915": "1" },
                },
            },
            {
                metadata: { name: "attic" },
                status: { nodeInfo: { architecture: "arm" }, allocatable: { cpu: "1", memory: "1000000Ki" } },
            },
        ],
    },
    "/apis/storage.k8s.io/v1/storageclasses": { items: [{ metadata: { name: "local-path" }, provisioner: "x" }] },
    "/api/v1/namespaces": { items: [{ metadata: { name: "vpn" } }, { metadata: { name: "kube-system" } }] },
    "/api/v1/persistentvolumes": {
        items: [
            {
                metadata: { name: "pvc-1" },
                spec: { csi: { driver: "nfs.csi.k8s.io" }, claimRef: { namespace: "immich", name: "immich-library" } },
            },
            { metadata: { name: "pvc-2" }, spec: { local: {}, claimRef: { namespace: "ntfy", name: "ntfy-data" } } },
        ],
    },
    "/apis/apps/v1/daemonsets": {
        items: [
            {
                metadata: {
                    name: "svclb-traefik-1",
                    labels: {
                        "svccontroller.k3s.cattle.io/svcname": "traefik",
                        "svccontroller.k3s.cattle.io/svcnamespace": "kube-system",
                    },
                },
            },
        ],
    },
    "/api/v1/services": {
        items: [
            {
                metadata: {
                    name: "adguard-lan",
                    namespace: "adguard",
                    annotations: { "metallb.io/loadBalancerIPs": "10.0.0.9" },
                },
                spec: { type: "LoadBalancer" },
                status: { loadBalancer: { ingress: [{ ip: "10.0.0.9" }] } },
            },
            { metadata: { name: "traefik", namespace: "kube-system" }, spec: { type: "LoadBalancer" }, status: {} },
            { metadata: { name: "kubernetes", namespace: "default" }, spec: { type: "ClusterIP" } },
        ],
    },
    "/apis/helm.cattle.io/v1/namespaces/kube-system/helmchartconfigs/traefik": {
        spec: { valuesContent: "logs: {}\n" },
    },
};

let server: ApiServer;
let known: Readonly<Record<string, object>>;

beforeAll(async () => {
    server = await serveApi("own", ({ url = "" }, response) => {
        const found = known[new URL(url, "https://localhost").pathname];
        response.writeHead(found ? 200 : 404, { "content-type": "application/json" });
        response.end(JSON.stringify(found ?? { kind: "Status", code: 404 }));
    });
});

beforeEach(() => {
    known = objects;
});

afterAll(() => server.close());

test("reads the facts that the program and the charts need from the API server", async () => {
    expect(await readCluster(server.kubeconfig)).toEqual({
        nodes: ["attic", "shelf"],
        architectures: ["arm64"],
        devices: ["gpu.intel.com/i915"],
        memory: 4_000_000 * 2 ** 10,
        storageClasses: ["local-path"],
        namespaces: ["kube-system", "vpn"],
        nfsClaims: ["immich/immich-library"],
        serviceLb: ["kube-system/traefik"],
        loadBalancers: [
            { service: "adguard/adguard-lan", addresses: ["10.0.0.9"], requested: "10.0.0.9" },
            { service: "kube-system/traefik", addresses: [] },
        ],
        traefikValues: "logs: {}\n",
    });
});

test("a k3s whose Traefik has no configuration", async () => {
    known = Object.fromEntries(Object.entries(objects).filter(([path]) => !path.includes("helm.cattle.io")));

    expect(await readCluster(server.kubeconfig)).toMatchObject({ traefikValues: "" });
});

test("a cluster that does not answer is unknown", async () => {
    expect(await readCluster(kubeconfigOf({ server: "https://127.0.0.1:1" }))).toBeUndefined();
});

test("a cluster whose certificate is not trusted here is reported at once, with that reason", async () => {
    const untrusted = await serveApi("another", (_, response) => response.end("{}"));
    await expect(readCluster(untrusted.kubeconfig)).rejects.toThrow(
        /^The API server's certificate is not trusted here: .*\nThe kubeconfig belongs to another cluster/,
    );
    untrusted.close();
});

test.each([
    ["127.0.0.1", true],
    ["localhost", true],
    ["[::1]", true],
    ["192.0.2.1", false],
])("a preview with an unreachable kubeconfig at %s mentions that it points to this host: %s", async (host, isSaid) => {
    await mockEngine();
    jest.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(true);
    const warn = jest.spyOn(pulumi.log, "warn").mockResolvedValue();
    const { facts } = askCluster(pulumi.output(kubeconfigOf({ server: `https://${host}:1` })), true, () => []);
    await new Promise((resolve) => facts.apply(() => resolve(undefined)));
    const sentence = `hearth:kubeconfig does not answer: https://${host}:1 is an address of this machine`;
    expect(warn.mock.calls.map(([said]) => said)).toEqual(isSaid ? [expect.stringContaining(sentence)] : []);
    jest.restoreAllMocks();
});

test("rejects a cluster with ServiceLB before any change, with the way to disable it", () => {
    expect(() => checkCluster({ serviceLb: ["kube-system/traefik"], nfsClaims: [] }, true)).toThrow(
        /ServiceLB of k3s serves kube-system\/traefik[\s\S]*disable: \[servicelb\]/,
    );
    expect(() => checkCluster({ serviceLb: [], nfsClaims: [] }, true)).not.toThrow();
});

test("a cluster with data on an NFS server keeps the driver that mounts it", () => {
    const facts = { serviceLb: [], nfsClaims: ["immich/immich-library"] };
    expect(() => checkCluster(facts, false)).toThrow(/set hearth:nfs: this cluster has data .*immich\/immich-library/);
    expect(() => checkCluster(facts, true)).not.toThrow();
    expect(() => checkCluster({ ...facts, nfsClaims: [] }, false)).not.toThrow();
});

test("an update waits for an API server that restarts, to read its Traefik's values", async () => {
    await mockEngine();
    let answers = 0;
    const restarting = await serveApi("own", ({ url = "" }, response) => {
        const found = answers++ < 4 ? undefined : objects[new URL(url, "https://localhost").pathname];
        response.writeHead(found ? 200 : 503, { "content-type": "application/json" });
        response.end(JSON.stringify(found ? { ...found, items: [] } : { kind: "Status", code: 503 }));
    });
    const { facts } = askCluster(pulumi.output(restarting.kubeconfig), true, () => []);
    const values = await new Promise((resolve) => facts.apply((known) => resolve(known?.traefikValues)));
    restarting.close();

    expect(values).toBe("logs: {}\n");
});
