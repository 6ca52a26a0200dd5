import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Readable } from "node:stream";
import { type Answer, askNodes, askRollout, askUpgrade } from "../../hack/placement/answer";
import { ControlPlane } from "../../hack/placement/control-plane";
import type { Claim, Home, Node, Pod, PodSpec } from "../../hack/placement/home";
import { Model } from "../../hack/placement/model";
import { newNode } from "../../hack/placement/new-node";
import { rolloutOf } from "../../hack/placement/rollout";
import { runningProcesses } from "../../lib/processes";
import { until } from "./home";

jest.setTimeout(180_000);

const node = (name: string, memory: string): Node => newNode(`4,${memory},amd64`, name);

const spec = (memory: string, changes: Partial<PodSpec> = {}): PodSpec => ({
    containers: [{ name: "main", image: "example.invalid/app:1", resources: { requests: { cpu: "100m", memory } } }],
    ...changes,
});

/** A pod of a Deployment. */
const pod = (app: string, nodeName: string | undefined, { volumes, ...rest }: PodSpec): Pod => ({
    metadata: {
        name: `${app}-5d7-x`,
        namespace: "apps",
        labels: { app, "pod-template-hash": "5d7" },
        ownerReferences: [{ kind: "ReplicaSet", name: `${app}-5d7`, controller: true }],
    },
    spec: { ...rest, ...(nodeName && { nodeName }), volumes: volumes ?? [] },
});

const onClaim = (claimName: string) => ({ volumes: [{ name: "data", persistentVolumeClaim: { claimName } }] });

/** A claim whose volume is on a node's disk. */
const claim = (name: string, hostname: string) => ({
    claim: {
        metadata: { name, namespace: "apps" },
        spec: {
            accessModes: ["ReadWriteOnce"],
            resources: { requests: { storage: "1Gi" } },
            storageClassName: "local-path",
            volumeName: `pv-${name}`,
        },
    },
    volume: {
        metadata: { name: `pv-${name}` },
        spec: {
            accessModes: ["ReadWriteOnce"],
            capacity: { storage: "1Gi" },
            storageClassName: "local-path",
            nodeAffinity: {
                required: {
                    nodeSelectorTerms: [
                        { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [hostname] }] },
                    ],
                },
            },
        },
    },
});

const home = (changes: Partial<Home>): Home => ({
    nodes: [node("nas", "8Gi"), node("pi", "4Gi"), node("nuc", "8Gi")],
    pods: [],
    claims: [],
    volumes: [],
    storageClasses: [
        {
            metadata: { name: "local-path" },
            provisioner: "rancher.io/local-path",
            volumeBindingMode: "WaitForFirstConsumer",
        },
    ],
    namespaces: [{ metadata: { name: "apps", labels: { "pod-security.kubernetes.io/enforce": "restricted" } } }],
    priorityClasses: [{ metadata: { name: "platform" }, value: 1_000 }],
    daemonSets: [],
    statefulSets: [],
    backups: [],
    ...changes,
});

const withModel = <T>(of: Home, use: (model: Model) => Promise<T>): Promise<T> =>
    ControlPlane.with(async (plane) => use(await Model.load(plane, of)));

const names = (services: Answer["stops"]) => services.map(({ service }) => service.replace("apps/", ""));

test("a lost node: its volume cannot move, and a pod of higher priority preempts another, which is reported", async () => {
    const { claim: data, volume } = claim("photos", "nas");
    const before = home({
        nodes: [node("nas", "8Gi"), node("pi", "4Gi")],
        pods: [
            pod("photos", "nas", spec("1Gi", onClaim("photos"))),
            pod("dns", "nas", spec("1Gi", { priority: 1_000 })),
            pod("games", "pi", spec("3500Mi", { priority: 0 })),
        ],
        claims: [data],
        volumes: [volume],
    });
    const answer = await withModel(before, (model) => askNodes(model, before, { without: ["nas"], add: [] }));

    expect(answer.stops).toMatchObject([
        { service: "apps/games", reasons: ["0/1 nodes are available: 1 Insufficient memory"] },
        { service: "apps/photos", reasons: ["volume photos is on nas"] },
    ]);
    expect(answer.moves).toMatchObject([{ service: "apps/dns", moves: [{ from: "nas", to: ["pi"] }] }]);
});

test("of two pods that one of higher priority may preempt, neither is reported to stay", async () => {
    const before = home({
        nodes: [node("nas", "8Gi"), node("pi", "4Gi"), node("nuc", "4Gi")],
        pods: [
            pod("dns", "nas", spec("1Gi", { priority: 1_000 })),
            pod("chess", "pi", spec("3500Mi", { priority: 0 })),
            pod("games", "nuc", spec("3500Mi", { priority: 0 })),
        ],
    });
    const answer = await withModel(before, (model) => askNodes(model, before, { without: ["nas"], add: [] }));

    expect(names(answer.mayStop)).toEqual(["chess", "games"]);
    expect(names(answer.moves)).toEqual(["dns"]);
});

test("of three pods of which two have to be preempted, none is reported to stay", async () => {
    const before = home({
        nodes: [node("nas", "8Gi"), node("pi", "4Gi"), node("nuc", "4Gi"), node("box", "4Gi")],
        pods: [
            ...["dns", "vpn"].map((app) => pod(app, "nas", spec("3Gi", { priority: 1_000 }))),
            pod("chess", "pi", spec("3500Mi", { priority: 0 })),
            pod("games", "nuc", spec("3500Mi", { priority: 0 })),
            pod("poker", "box", spec("3500Mi", { priority: 0 })),
        ],
    });
    const answer = await withModel(before, (model) => askNodes(model, before, { without: ["nas"], add: [] }));

    expect(names(answer.mayStop)).toEqual(["chess", "games", "poker"]);
    expect(names(answer.moves)).toEqual(["dns", "vpn"]);
});

test("of two services with capacity for one, neither is reported to stay; with a new node, both do", async () => {
    const before = home({
        nodes: [node("nas", "8Gi"), node("pi", "4Gi")],
        pods: ["one", "two"].map((app) => pod(app, "nas", spec("3Gi"))),
    });
    const ask = (...add: Node[]) => withModel(before, (model) => askNodes(model, before, { without: ["nas"], add }));
    const [alone, exchanged] = await Promise.all([ask(), ask(node("new-1", "4Gi"))]);

    expect(names(alone.mayStop)).toEqual(["one", "two"]);
    expect(names(exchanged.moves)).toEqual(["one", "two"]);
});

test("a StatefulSet's second pod is not reported to move while the first one has no node", async () => {
    const member = (ordinal: number, claimName?: string): Pod => {
        const { metadata, ...rest } = pod("db", "nas", spec("1Gi", claimName ? onClaim(claimName) : {}));
        const ownerReferences = [{ kind: "StatefulSet", name: "db", controller: true }];
        return { metadata: { ...metadata, name: `db-${ordinal}`, ownerReferences }, ...rest };
    };
    const { claim: data, volume } = claim("data-db-0", "nas");
    const before = home({
        pods: [member(0, "data-db-0"), member(1)],
        claims: [data],
        volumes: [volume],
        statefulSets: [{ metadata: { name: "db", namespace: "apps" }, spec: { template: { spec: spec("1Gi") } } }],
    });
    const answer = await withModel(before, (model) => askNodes(model, before, { without: ["nas"], add: [] }));

    expect(answer.stops).toMatchObject([
        { service: "apps/db", reasons: ["volume data-db-0 is on nas", "waits for db-0, which has no node"] },
    ]);
});

test("a chart: unchanged pods stay, two pods with one new volume share a node, and one fits nowhere", async () => {
    const deployment = (name: string, { volumes = [], ...rest }: PodSpec) => ({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name },
        spec: {
            replicas: 1,
            strategy: { type: "Recreate" },
            template: { metadata: { labels: { app: name } }, spec: { ...rest, volumes } },
        },
    });
    const shared: Claim & { apiVersion: string; kind: string } = {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "shared" },
        spec: {
            accessModes: ["ReadWriteOnce"],
            resources: { requests: { storage: "1Gi" } },
            storageClassName: "local-path",
        },
    };
    const before = home({ pods: [pod("same", "pi", spec("1Gi"))] });
    const manifests = [
        shared,
        deployment("same", spec("1Gi")),
        deployment("reader", spec("1Gi", onClaim("shared"))),
        deployment("writer", spec("1Gi", onClaim("shared"))),
        deployment("large", spec("100Gi", { priorityClassName: "platform" })),
    ];
    const answer = await withModel(before, async (model) =>
        askRollout(model, before, await rolloutOf(model, before, manifests, "apps")),
    );

    expect(answer.unfit).toMatchObject([
        { service: "apps/large", after: [0, 0], reasons: ["0/3 nodes are available: 3 Insufficient memory"] },
    ]);
    expect(names(answer.starts)).toEqual(["reader", "writer"]);
    expect(answer.starts[0]?.moves[0]?.to).toEqual(answer.starts[1]?.moves[0]?.to);
    expect(answer.starts[0]?.moves[0]?.to).toHaveLength(1);
});

test("an upgrade: a volume's service stops while its node is drained, and runs again when the next one is", async () => {
    const { claim: data, volume } = claim("photos", "nas");
    const before = home({
        nodes: [node("nas", "8Gi"), node("pi", "4Gi")],
        pods: [pod("photos", "nas", spec("1Gi", onClaim("photos"))), pod("wiki", "nas", spec("1Gi"))],
        claims: [data],
        volumes: [volume],
    });
    const answers = await withModel(before, (model) => askUpgrade(model, before));

    expect(answers.map(({ node: name, stops, moves }) => [name, names(stops), names(moves)])).toEqual([
        ["nas", ["photos"], ["wiki"]],
        ["pi", [], ["wiki"]],
    ]);
});

test("a killed what-if leaves no process behind", async () => {
    const script = [
        'import("./hack/placement/control-plane").then(({ ControlPlane }) =>',
        "    ControlPlane.with(async ({ kubeconfig }) => {",
        "        console.log(kubeconfig);",
        "        await new Promise(() => setInterval(() => {}, 60_000));",
        "    }));",
    ].join("\n");
    const options = { cwd: resolve(__dirname, "../.."), stdio: ["ignore", "pipe", "inherit"] } as const;
    const child = spawn(process.execPath, ["--import", "tsx", "--eval", script], {
        ...options,
        stdio: [...options.stdio],
    });
    const [printed] = await once(child.stdout as Readable, "data");
    const directory = dirname(String(printed).trim());
    const left = () => [...runningProcesses()].filter(({ commandLine }) => commandLine.includes(directory));

    expect(left().length).toBeGreaterThanOrEqual(3);
    child.kill("SIGKILL");
    await until("its processes have ended", 30_000, async () => left().length === 0);
    rmSync(directory, { recursive: true });
});
