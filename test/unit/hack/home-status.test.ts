import { type HomeObjects, homeStatus } from "../../../hack/home-status";

type Application = NonNullable<HomeObjects["applications"]>[number];

const node = (name: string, ready = "True"): HomeObjects["nodes"][number] => ({
    metadata: { name, labels: name === "server" ? { "node-role.kubernetes.io/control-plane": "true" } : {} },
    status: {
        conditions: [{ type: "Ready", status: ready, lastTransitionTime: "2026-11-23T10:00:00Z" }],
        nodeInfo: { architecture: "arm64", kubeletVersion: "v1.36.3+k3s1" },
    },
});
/** A node as its kubelet reports it when its disk is full. */
const full: HomeObjects["nodes"][number] = {
    ...node("agent"),
    status: {
        conditions: [
            {
                type: "DiskPressure",
                status: "True",
                message: "kubelet has disk pressure",
                lastTransitionTime: "2026-11-23T11:00:00Z",
            },
            { type: "Ready", status: "True", lastTransitionTime: "2026-11-23T10:00:00Z" },
        ],
    },
};
const application = (name: string, tier: string | undefined, status: object = {}): Application => ({
    metadata: {
        name,
        creationTimestamp: "2026-11-23T10:00:00Z",
        annotations: tier ? { "argocd.argoproj.io/sync-wave": tier } : {},
    },
    status: {
        sync: { status: "Synced", revisions: ["a".repeat(40)] },
        health: { status: "Healthy", lastTransitionTime: "2026-11-23T10:05:00Z" },
        ...status,
    },
});
const controller = (ready: number): HomeObjects["argocd"][number] => ({
    kind: "StatefulSet",
    metadata: { name: "argocd-application-controller" },
    spec: { replicas: 1 },
    status: { readyReplicas: ready },
});
const outOfSync = { sync: { status: "OutOfSync" } };
const degraded = {
    health: { status: "Degraded", message: "no disk", lastTransitionTime: "2026-11-23T11:00:00Z" },
};
const home = (changes: Partial<HomeObjects> = {}): HomeObjects => ({
    nodes: [node("agent"), node("server")],
    argocd: [controller(1)],
    applications: [application("root", undefined), application("jellyfin", "3"), application("database", "1")],
    events: [],
    warnings: [],
    pods: [],
    claims: [],
    volumes: [],
    orders: [],
    backups: { cronJobs: [], pods: [], journals: [] },
    ...changes,
});

test("a healthy home: tier by tier, the root Application last, and no problem", () => {
    const status = homeStatus(home());

    expect(status.applications.map(({ name }) => name)).toEqual(["database", "jellyfin", "root"]);
    expect(status.nodes.map(({ name, role, status }) => [name, role, status])).toEqual([
        ["agent", "agent", "Ready"],
        ["server", "server", "Ready"],
    ]);
    expect(status).toMatchObject({ ready: true, first: undefined });
});

test("a node whose disk is full is shown as that", () => {
    expect(homeStatus(home({ nodes: [full] })).nodes[0]?.status).toBe("Ready,DiskPressure");
});

test("an unschedulable pod is the reason of its Application, in the gate's words", () => {
    const pending = {
        involvedObject: { kind: "Pod", name: "runner-arm64-0", namespace: "gitops" },
        reason: "FailedScheduling",
        message: "0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector.",
        lastTimestamp: "2026-11-23T10:06:00Z",
    };
    const elsewhere = { ...pending, involvedObject: { ...pending.involvedObject, namespace: "arr" } };
    const { applications } = homeStatus(
        home({
            applications: [application("gitops", "2", { health: { status: "Progressing" } })],
            warnings: [elsewhere, { ...pending, lastTimestamp: "2026-11-23T10:05:00Z" }, pending],
        }),
    );

    expect(applications[0]?.reasons).toEqual([
        "Pod runner-arm64-0: FailedScheduling: 0/4 nodes are available: 4 node(s) didn't match Pod's node " +
            "affinity/selector.",
    ]);
});

test.each<[string, Partial<HomeObjects>, string]>([
    [
        "a node, before what may run on it",
        { nodes: [node("agent", "Unknown")], applications: [application("jellyfin", "3", degraded)] },
        "Node agent is not Ready.",
    ],
    [
        "a node whose disk is full, before the pods that it evicts",
        { nodes: [node("server"), full], applications: [application("jellyfin", "3", degraded)] },
        "Node agent has DiskPressure (kubelet has disk pressure): it evicts pods and starts no others.",
    ],
    ["a cluster without Argo CD", { applications: undefined }, "Argo CD is not installed"],
    [
        "Argo CD itself, before its report on Applications",
        { argocd: [controller(0)], applications: [application("jellyfin", "3", degraded)] },
        "Argo CD's statefulset/argocd-application-controller is not ready.",
    ],
    ["a cluster without Applications", { applications: [] }, "No Application exists"],
    [
        "the lowest tier that is not well",
        { applications: [application("jellyfin", "3", degraded), application("garage", "2", outOfSync)] },
        "Application garage (tier 2) is OutOfSync and Healthy",
    ],
    [
        "an Application with its reason",
        { applications: [application("jellyfin", "3", degraded), application("root", undefined, outOfSync)] },
        "Application jellyfin (tier 3) is Synced and Degraded: health: no disk",
    ],
])("the first problem: %s", (_, changes, expected) => {
    const { ready, first } = homeStatus(home(changes));

    expect(ready).toBe(false);
    expect(first?.what).toContain(expected);
    expect(first?.command).toMatch(/^(kubectl|npx pulumi) /);
});

test("shows since when an Application is not ready: health by its status, sync by Argo CD's Events", () => {
    const event = (name: string, message: string, lastTimestamp: string) => ({
        involvedObject: { name },
        message,
        lastTimestamp,
    });
    const { applications } = homeStatus(
        home({
            applications: [
                application("garage", "2", outOfSync),
                application("gitops", "2", outOfSync),
                application("jellyfin", "3", degraded),
                application("kavita", "3"),
            ],
            events: [
                event("garage", "Updated sync status: Synced -> OutOfSync", "2026-11-23T10:10:00Z"),
                event("garage", "Updated sync status: OutOfSync -> Synced", "2026-11-23T10:20:00Z"),
                event("garage", "Updated sync status: Synced -> OutOfSync", "2026-11-23T10:30:00Z"),
                event("kavita", "Updated sync status: Synced -> OutOfSync", "2026-11-23T10:30:00Z"),
            ],
        }),
    );

    expect(applications.map(({ name, since }) => [name, since])).toEqual([
        ["garage", "2026-11-23T10:30:00Z"],
        ["gitops", undefined],
        ["jellyfin", "2026-11-23T11:00:00Z"],
        ["kavita", undefined],
    ]);
});

test("a killed restore is listed before the services that it keeps stopped; a completed one is not listed", () => {
    const journal = (state: string) => ({
        metadata: { namespace: "paperless" },
        data: { journal: JSON.stringify({ chart: "paperless", id: "a", state, claims: [], exchanged: [] }) },
    });
    const backups = (...states: string[]) => ({ cronJobs: [], pods: [], journals: states.map(journal) });
    const stopped = home({
        backups: backups("done", "exchanging"),
        applications: [application("paperless", "3", degraded)],
    });

    expect(homeStatus(stopped)).toMatchObject({ ready: false, first: { command: "hack/restore paperless" } });
    expect(homeStatus(home({ backups: backups("done", "copying") })).ready).toBe(true);
});

test("a late copy is reported, and the home still counts as ready", () => {
    const labels = { "hearth/backup": "backup", "hearth/claim": "actual-data", "app.kubernetes.io/part-of": "actual" };
    const late = {
        metadata: { name: "actual-data-backup", namespace: "actual", labels },
        spec: { jobTemplate: { spec: { template: { spec: {} } } } },
        status: { lastSuccessfulTime: "2026-01-01T00:00:00Z" },
    };

    expect(homeStatus(home({ backups: { cronJobs: [late], pods: [], journals: [] } }))).toMatchObject({
        ready: true,
        first: { command: "hack/backup actual" },
    });
});

test("a certificate that is not renewed is the first problem of a home that is ready", () => {
    const metadata = { namespace: "cert-manager", name: "wildcard" };
    const conditions = [{ type: "Ready", status: "False", message: "expired" }];

    expect(homeStatus(home({ orders: [{ kind: "Certificate", metadata, status: { conditions } }] }))).toMatchObject({
        ready: true,
        certificates: ["Certificate cert-manager/wildcard is not ready: expired"],
        first: { command: "hack/names" },
    });
});
