import { deploymentVerdict } from "../../sandbox/plugins/kubernetes/await/deployment";
import { ingressVerdict, serviceVerdict } from "../../sandbox/plugins/kubernetes/await/network";
import { podVerdict } from "../../sandbox/plugins/kubernetes/await/pod";
import type { Snapshot } from "../../sandbox/plugins/kubernetes/await/related";
import { daemonSetVerdict, jobVerdict, statefulSetVerdict } from "../../sandbox/plugins/kubernetes/await/workloads";
import type { Properties } from "../../sandbox/plugins/shared/values";

function snapshot(object: Properties, related: Record<string, Properties[]> = {}, settled = true): Snapshot {
    return { object, related: (name) => related[name] ?? [], settled };
}

const condition = (type: string, status: string, reason = "", message = "") => ({ type, status, reason, message });

describe("a Deployment", () => {
    const deployment = (revision: string, conditions: Properties[]) => ({
        metadata: {
            name: "d",
            uid: "d1",
            generation: 1,
            annotations: { "deployment.kubernetes.io/revision": revision },
        },
        spec: { template: { spec: { volumes: [{ persistentVolumeClaim: { claimName: "data" } }] } } },
        status: { observedGeneration: 1, conditions },
    });
    const replicaSet = (revision: string, readyReplicas: number) => ({
        metadata: {
            name: `d-${revision}`,
            uid: `r${revision}`,
            ownerReferences: [{ uid: "d1" }],
            annotations: { "deployment.kubernetes.io/revision": revision },
        },
        spec: { replicas: 2 },
        status: { readyReplicas },
    });
    const available = condition("Available", "True");
    const rolledOut = condition("Progressing", "True", "NewReplicaSetAvailable");
    const progressing = condition("Progressing", "True", "ReplicaSetUpdated");
    const claim = (phase: string) => ({ metadata: { name: "data" }, status: { phase } });

    test.each<[string, Properties, Record<string, Properties[]>, boolean]>([
        ["all Pods ready", deployment("1", [available]), { replicaSets: [replicaSet("1", 2)] }, true],
        ["one Pod missing", deployment("1", [available]), { replicaSets: [replicaSet("1", 1)] }, false],
        ["not available", deployment("1", []), { replicaSets: [replicaSet("1", 2)] }, false],
        ["no ReplicaSet yet", deployment("1", [available]), {}, false],
        ["rolled out", deployment("2", [available, rolledOut]), { replicaSets: [replicaSet("2", 2)] }, true],
        ["rolling out", deployment("2", [available, progressing]), { replicaSets: [replicaSet("2", 2)] }, false],
        [
            "the old revision's Pods do not count",
            deployment("2", [available, rolledOut]),
            { replicaSets: [replicaSet("1", 2)] },
            false,
        ],
        [
            "a claim is not bound",
            deployment("1", [available]),
            { replicaSets: [replicaSet("1", 2)], claims: [claim("Pending")] },
            false,
        ],
        [
            "a claim is bound",
            deployment("1", [available]),
            { replicaSets: [replicaSet("1", 2)], claims: [claim("Bound")] },
            true,
        ],
    ])("%s", (_, object, related, expected) => {
        expect(deploymentVerdict(snapshot(object, related)).ready).toBe(expected);
    });

    test("of an older generation is not ready", () => {
        const object = deployment("1", [available]);
        object.metadata.generation = 2;
        expect(deploymentVerdict(snapshot(object, { replicaSets: [replicaSet("1", 2)] })).ready).toBe(false);
    });

    test("tells why it is not ready, and what is wrong with its Pods", () => {
        const pod = {
            metadata: { name: "p", namespace: "n", ownerReferences: [{ uid: "r1" }] },
            status: {
                conditions: [
                    condition("PodScheduled", "True"),
                    condition("Initialized", "True"),
                    condition("Ready", "False"),
                ],
                containerStatuses: [
                    { name: "c", state: { waiting: { reason: "ErrImagePull", message: "no such image" } } },
                ],
            },
        };
        const object = deployment("1", [condition("Available", "False", "MinimumReplicasUnavailable", "too few")]);
        const { reasons } = deploymentVerdict(snapshot(object, { replicaSets: [replicaSet("1", 0)], pods: [pod] }));
        expect(reasons).toEqual([
            "[MinimumReplicasUnavailable] too few",
            "Minimum number of live Pods was not attained",
            "[Pod n/p]: [ErrImagePull] no such image",
        ]);
    });
});

describe("a StatefulSet", () => {
    const statefulSet = (status: Properties, generation = 1) => ({
        metadata: { name: "s", uid: "s", generation },
        spec: { replicas: 2 },
        status: { observedGeneration: 1, currentRevision: "a", updateRevision: "a", ...status },
    });
    test.each<[string, Properties, boolean]>([
        ["all ready", statefulSet({ replicas: 2, readyReplicas: 2, currentReplicas: 2 }), true],
        ["one missing", statefulSet({ replicas: 2, readyReplicas: 1, currentReplicas: 2 }), false],
        ["status of an older generation", statefulSet({ replicas: 2, readyReplicas: 2, currentReplicas: 2 }, 2), false],
        ["rolling out", statefulSet({ replicas: 2, readyReplicas: 2, currentReplicas: 2, updateRevision: "b" }), false],
    ])("%s", (_, object, expected) => {
        expect(statefulSetVerdict(snapshot(object)).ready).toBe(expected);
    });
});

test.each<[string, Properties, boolean]>([
    ["all nodes", { desiredNumberScheduled: 1 }, true],
    ["no node wanted", { desiredNumberScheduled: 0 }, true],
    ["unknown yet", {}, false],
    ["an old Pod", { desiredNumberScheduled: 1, updatedNumberScheduled: 0 }, false],
    ["stale", { desiredNumberScheduled: 1, observedGeneration: 0 }, false],
])("a DaemonSet: %s", (_, status, expected) => {
    const counts = { currentNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1, numberReady: 1 };
    const object = { metadata: { name: "d", generation: 1 }, status: { observedGeneration: 1, ...counts, ...status } };
    expect(daemonSetVerdict(snapshot(object)).ready).toBe(expected);
});

test.each<[string, Properties, { ready: boolean; failed: boolean }]>([
    ["not started", {}, { ready: false, failed: false }],
    ["running", { startTime: "t" }, { ready: false, failed: false }],
    ["complete", { startTime: "t", conditions: [condition("Complete", "True")] }, { ready: true, failed: false }],
    [
        "given up",
        { startTime: "t", conditions: [condition("Failed", "True", "BackoffLimitExceeded", "often")] },
        { ready: false, failed: true },
    ],
])("a Job: %s", (_, status, expected) => {
    expect(jobVerdict(snapshot({ metadata: { name: "j", uid: "j" }, status }))).toMatchObject(expected);
});

describe("a Service", () => {
    const service = (spec: Properties, ingress: Properties[] = []) => ({
        metadata: { name: "s" },
        spec,
        status: { loadBalancer: { ingress } },
    });
    const endpoints = (subset: Properties) => ({ endpoints: [{ metadata: { name: "s" }, subsets: [subset] }] });
    const selector = { app: "x" };
    test.each<[string, Properties, Record<string, Properties[]>, boolean, boolean]>([
        ["without selector", service({ type: "ClusterIP" }), {}, false, true],
        ["headless", service({ clusterIP: "None", selector }), {}, false, true],
        ["Pods not settled", service({ selector }), endpoints({ addresses: [{}] }), false, false],
        ["Pods settled", service({ selector }), endpoints({ addresses: [{}] }), true, true],
        ["Pods pending", service({ selector }), endpoints({ notReadyAddresses: [{}] }), true, false],
        ["no address yet", service({ type: "LoadBalancer", selector }), endpoints({ addresses: [{}] }), true, false],
        ["address", service({ type: "LoadBalancer", selector }, [{}]), endpoints({ addresses: [{}] }), true, true],
    ])("%s", (_, object, related, settled, expected) => {
        expect(serviceVerdict(snapshot(object, related, settled)).ready).toBe(expected);
    });
});

describe("an Ingress", () => {
    const ingress = (addresses: Properties[]) => ({
        apiVersion: "networking.k8s.io/v1",
        metadata: { name: "i" },
        spec: { rules: [{ host: "h", http: { paths: [{ path: "/", backend: { service: { name: "web" } } }] } }] },
        status: { loadBalancer: { ingress: addresses } },
    });
    const endpoints = { endpoints: [{ metadata: { name: "web" } }] };
    const external = { services: [{ metadata: { name: "web" }, spec: { type: "ExternalName" } }] };
    test.each<[string, Properties[], Record<string, Properties[]>, boolean, boolean]>([
        ["address and Service", [{}], endpoints, false, true],
        ["address and external Service", [{}], external, false, true],
        ["no Service yet", [{}], {}, false, false],
        ["no Service after a while", [{}], {}, true, true],
        ["no address", [], endpoints, true, false],
    ])("%s", (_, addresses, related, settled, expected) => {
        expect(ingressVerdict(snapshot(ingress(addresses), related, settled)).ready).toBe(expected);
    });
});

test("a Pod that is not scheduled is not ready", () => {
    expect(podVerdict({ metadata: { name: "p" }, status: {} }).ready).toBe(false);
});
