import type { Manifest } from "../manifests";
import { type Claim, controllerOf, type Home, keyOf, type Node, type Pod, type Workload } from "./home";
import type { Model } from "./model";

/** Pods of a chart in the checkout, as replacements of the running ones. */
export interface Rollout {
    /** Pods that have no node yet. */
    readonly pods: readonly Pod[];
    /** Claims that the home does not have. */
    readonly claims: readonly Claim[];
    /** Pods that are replaced. */
    readonly replaced: readonly Pod[];
    /** Those of them that end before new pods start. */
    readonly evicted: readonly Pod[];
}

const kinds = ["Deployment", "StatefulSet", "DaemonSet"];

/** Pods that DaemonSets start on nodes: their controller pins each to its node, and taints of the node's state do not matter. */
export function daemonPods(daemonSets: Home["daemonSets"], nodes: readonly Node[]): Pod[] {
    return nodes.flatMap(({ metadata: { name: node } }) =>
        daemonSets.map((daemonSet) => {
            const pod = podOf(daemonSet, "DaemonSet", node);
            const pinned = {
                requiredDuringSchedulingIgnoredDuringExecution: {
                    nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }],
                },
            };
            const tolerations = [
                ...(pod.spec.tolerations ?? []),
                ...["unschedulable", "not-ready", "disk-pressure", "memory-pressure", "pid-pressure"].map((state) => ({
                    key: `node.kubernetes.io/${state}`,
                    operator: "Exists",
                })),
            ];
            return {
                ...pod,
                spec: { ...pod.spec, tolerations, affinity: { ...pod.spec.affinity, nodeAffinity: pinned } },
            };
        }),
    );
}

/** A pod as the controller of a workload creates it. */
function podOf(
    { metadata, spec: { template, volumeClaimTemplates = [] } }: Workload,
    kind: string,
    suffix: string,
): Pod {
    const { name, namespace = "default" } = metadata;
    const claims = volumeClaimTemplates.map(({ metadata: { name: claim } }) => ({
        name: claim,
        persistentVolumeClaim: { claimName: `${claim}-${name}-${suffix}` },
    }));
    const hash = "new";
    const isDeployment = kind === "Deployment";
    return {
        metadata: {
            name: `${name}-${suffix}`,
            namespace,
            labels: { ...template.metadata?.labels, ...(isDeployment && { "pod-template-hash": hash }) },
            ownerReferences: [
                isDeployment
                    ? { kind: "ReplicaSet", name: `${name}-${hash}`, controller: true }
                    : { kind, name, controller: true },
            ],
        },
        spec: { ...template.spec, volumes: [...(template.spec.volumes ?? []), ...claims] },
    };
}

/** Priority of a pod by its class, as admission sets it. */
function withPriority(pod: Pod, { priorityClasses }: Home): Pod {
    const { priorityClassName: name } = pod.spec;
    const found = priorityClasses.find(({ metadata, globalDefault }) =>
        name === undefined ? globalDefault : metadata.name === name,
    );
    return found?.value === undefined ? pod : { ...pod, spec: { ...pod.spec, priority: found.value } };
}

/**
 * The rollout of rendered manifests. A workload whose pods need the same nodes as before is left out: it restarts at most.
 *
 * @param namespace of objects that name none
 */
export async function rolloutOf(
    model: Model,
    home: Home,
    manifests: readonly Manifest[],
    namespace: string,
): Promise<Rollout> {
    const pods: Pod[] = [];
    const replaced: Pod[] = [];
    const evicted: Pod[] = [];
    const located = manifests.map((each) => ({ ...each, metadata: { namespace, ...each.metadata } }));
    const claims = located.filter(({ kind }) => kind === "PersistentVolumeClaim") as unknown as Claim[];
    for (const manifest of located.filter(({ kind }) => kinds.includes(kind))) {
        const workload = manifest as unknown as Workload;
        const { kind } = manifest;
        const { replicas = 1, strategy, volumeClaimTemplates = [] } = workload.spec;
        const running = home.pods.filter((pod) => {
            const controller = controllerOf(pod);
            return controller.kind === kind && controller.key === keyOf(workload);
        });
        const suffixes = Array.from({ length: replicas }, (_, index) => String(index));
        const wanted = (
            kind === "DaemonSet"
                ? daemonPods([workload], home.nodes)
                : suffixes.map((suffix) => podOf(workload, kind, suffix))
        ).map((pod) => withPriority(pod, home));
        const [first] = running;
        const [sample] = wanted;
        if (
            first &&
            sample &&
            kind !== "DaemonSet" &&
            running.length === wanted.length &&
            (await model.needsSame(first, sample))
        ) {
            continue;
        }
        pods.push(...wanted);
        replaced.push(...running);
        // At the end of a rolling update, one old pod runs next to all new ones.
        evicted.push(...(kind === "Deployment" && strategy?.type !== "Recreate" ? running.slice(1) : running));
        claims.push(
            ...volumeClaimTemplates.flatMap(({ metadata: { name }, spec }) =>
                suffixes.map((suffix) => ({
                    metadata: { ...workload.metadata, name: `${name}-${workload.metadata.name}-${suffix}` },
                    spec,
                })),
            ),
        );
    }
    const existing = new Set(home.claims.map(keyOf));
    return { pods, replaced, evicted, claims: claims.filter((each) => !existing.has(keyOf(each))) };
}
