import type { Properties } from "../../shared/values";
import { equal } from "../../shared/values";
import type { Cluster } from "../cluster";
import { at, numberAt, stringAt } from "../objects";
import { deploymentVerdict } from "./deployment";
import { ingressVerdict, serviceVerdict } from "./network";
import { podVerdict } from "./pod";
import { type Awaiter, byRule, byTest } from "./related";
import { daemonSetVerdict, jobVerdict, statefulSetVerdict } from "./workloads";

const core = "/api/v1";
const pods = { base: core, resource: "pods" };
const endpoints = { base: core, resource: "endpoints" };
const services = { base: core, resource: "services" };
const claims = { base: core, resource: "persistentvolumeclaims" };
const replicaSets = { base: "/apis/apps/v1", resource: "replicasets" };

const minutes = 60;

const deployment = byRule({ collections: { replicaSets, pods, claims }, evaluate: deploymentVerdict });
const ingress = byRule({
    collections: { endpoints, services },
    evaluate: ingressVerdict,
    settles: "endpoints",
    quietAfter: 60,
});
const timedOut = () => "timed out waiting for the condition";

async function bindingMode(cluster: Cluster, claim: Properties): Promise<string> {
    const name = stringAt(claim, "spec", "storageClassName");
    if (name === "") {
        return "";
    }
    try {
        const gvk = { group: "storage.k8s.io", version: "v1", kind: "StorageClass" };
        return stringAt(await (await cluster.resources(gvk, "")).get(name), "volumeBindingMode");
    } catch {
        return "";
    }
}

/** A new claim is ready when it is bound, or when its class waits for the first Pod; one that was bound stays ready. */
async function isClaimReady(claim: Properties, cluster: Cluster, before: Properties | undefined): Promise<boolean> {
    const phase = stringAt(claim, "status", "phase");
    if (before !== undefined && phase === "Bound") {
        return true;
    }
    return phase === ((await bindingMode(cluster, claim)) === "WaitForFirstConsumer" ? "Pending" : "Bound");
}

/** A service account's token is filled in by a controller; other Secrets are complete. */
const secretAwaiter: Awaiter = {
    wait: async (waiting, current, before) => {
        if (current["type"] !== "kubernetes.io/service-account-token") {
            return current;
        }
        const filled = byTest(5, (secret) => Object.keys(at(secret, "data") ?? {}).length > 0);
        return (await filled.wait?.(waiting, current, before)) ?? current;
    },
};

/** By `apiVersion/kind`. Other kinds are ready as soon as they exist. */
export const builtInAwaiters: ReadonlyMap<string, Awaiter> = new Map<string, Awaiter>([
    ["apps/v1/Deployment", deployment],
    ["apps/v1/StatefulSet", byRule({ collections: { pods }, evaluate: statefulSetVerdict })],
    ["apps/v1/DaemonSet", byRule({ collections: { pods }, evaluate: daemonSetVerdict, timeoutMessage: timedOut })],
    ["batch/v1/Job", byRule({ collections: { pods }, evaluate: jobVerdict })],
    ["v1/Pod", byRule({ collections: {}, evaluate: ({ object }) => podVerdict(object) })],
    ["v1/Service", byRule({ collections: { endpoints }, evaluate: serviceVerdict, settles: "endpoints" })],
    ["networking.k8s.io/v1/Ingress", ingress],
    [
        "v1/PersistentVolume",
        byTest(5 * minutes, (volume) => ["Available", "Bound"].includes(stringAt(volume, "status", "phase"))),
    ],
    ["v1/PersistentVolumeClaim", byTest(5 * minutes, isClaimReady)],
    [
        "v1/ReplicationController",
        byTest(
            10 * minutes,
            (controller) =>
                numberAt(controller, "spec", "replicas") === numberAt(controller, "status", "availableReplicas"),
        ),
    ],
    [
        "v1/ResourceQuota",
        byTest(minutes, (quota) => {
            const hard = at(quota, "spec", "hard");
            return hard !== undefined && equal(hard, at(quota, "status", "hard"));
        }),
    ],
    ["v1/Secret", secretAwaiter],
]);
