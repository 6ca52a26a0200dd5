import {
    type Claim,
    type Controller,
    claimsOf,
    controllerOf,
    type Home,
    keyOf,
    lostClaims,
    type Node,
    type Pod,
} from "./home";
import type { Model, Placement } from "./model";
import { type Restore, restoreOf } from "./restore";

/** Pod that leaves its node, or starts on one. */
export interface Move {
    readonly pod: string;
    /** Undefined for a pod that had no node. */
    readonly from?: string;
    /** The node that the scheduler chose; more than one where it depends on the order in which pods are recreated. */
    readonly to: readonly string[];
}

/** Service whose pods a change concerns: a Deployment, a StatefulSet, or a pod that has no controller. */
export interface Service {
    /** `namespace/name` */
    readonly service: string;
    /** Pods that run now. */
    readonly before: number;
    /** Pods that run afterward: least and most, where that depends on the order in which pods are recreated. */
    readonly after: readonly [least: number, most: number];
    readonly moves: readonly Move[];
    /** Claims of its pods whose volume is lost. */
    readonly volumes: readonly string[];
    /** Reasons why pods of it do not run, mostly the scheduler's own. */
    readonly reasons: readonly string[];
}

/** Outcome of a change. */
export interface Answer {
    /** Services that run now, and of which nothing does afterward. */
    readonly stops: readonly Service[];
    /** Services that stop or not, by the order in which pods are recreated: there is not enough room for all. */
    readonly mayStop: readonly Service[];
    /** Services that run with fewer pods. */
    readonly reduced: readonly Service[];
    /** Services of which every pod runs, some on another node. */
    readonly moves: readonly Service[];
    /** Services that do not run now, and do afterward. */
    readonly starts: readonly Service[];
    /** Services that do not run now, and do not afterward either. */
    readonly waiting: readonly Service[];
    /** Reason why nothing moves at all: the change leaves the home without its API server. */
    readonly controlPlane?: string;
    /** Return of the data that is lost. */
    readonly restore: Restore;
}

/** A change of a home. */
export interface Change {
    /** Nodes that are lost, with their disks. */
    readonly without: readonly string[];
    readonly add: readonly Node[];
}

/** Controllers whose pods are part of a node rather than a service. */
const nodeBound = ["DaemonSet", "Node"];

/** A message of the scheduler without what it tried in vain. */
const reasonOf = (message: string) =>
    message
        .replace(/\.? *preemption: .*$/s, "")
        .replace(/(, )?no new claims to deallocate,?/, "")
        .replace(/[ ,.]+$/, "");

/** Role labels of k3s' servers. */
const role = (node: Node, name: string) => `node-role.kubernetes.io/${name}` in (node.metadata.labels ?? {});

/** Reports why a home without these nodes has no API server; undefined when it has one. */
export function lostControlPlane({ nodes }: Pick<Home, "nodes">, without: readonly string[]): string | undefined {
    const left = (name: string) => {
        const all = nodes.filter((each) => role(each, name));
        return [all.length, all.filter(({ metadata }) => !without.includes(metadata.name)).length] as const;
    };
    const [servers, serversLeft] = left("control-plane");
    const [members, membersLeft] = left("etcd");
    if (servers > 0 && serversLeft === 0) {
        return "no server is left: what runs on other nodes goes on, and nothing is moved or restarted until one is back";
    }
    if (membersLeft < Math.floor(members / 2) + 1 && members > 0) {
        return (
            `etcd has ${membersLeft} of ${members} members and no quorum: what runs on other nodes goes on, and nothing is ` +
            "moved or restarted until one is back"
        );
    }
    return undefined;
}

/** The pods that DaemonSets start on a new node, as their controller pins them to it. */
function daemonPods(daemonSets: Home["daemonSets"], { metadata: { name: node } }: Node): Pod[] {
    const pinned = {
        requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }],
        },
    };
    return daemonSets.map(({ metadata, spec: { template } }) => ({
        metadata: {
            name: `${metadata.name}-${node}`,
            namespace: metadata.namespace ?? "default",
            ...(template.metadata?.labels && { labels: template.metadata.labels }),
            ownerReferences: [{ kind: "DaemonSet", name: metadata.name, controller: true }],
        },
        spec: { ...template.spec, affinity: { ...template.spec.affinity, nodeAffinity: pinned } },
    }));
}

/** Pods of each service that a change concerns. */
function byService(pods: readonly Pod[]): Map<string, { controller: Controller; pods: Pod[] }> {
    const found = new Map<string, { controller: Controller; pods: Pod[] }>();
    for (const pod of pods) {
        const controller = controllerOf(pod);
        if (![...nodeBound, "Job"].includes(controller.kind)) {
            const id = `${controller.kind} ${controller.key}`;
            const entry = found.get(id) ?? { controller, pods: [] };
            entry.pods.push(pod);
            found.set(id, entry);
        }
    }
    return found;
}

/** Sorts the fates of pods into what a person asks for. */
export function answerOf(
    home: Home,
    evicted: readonly Pod[],
    placements: readonly Placement[],
    lost: readonly Claim[],
): Omit<Answer, "controlPlane"> {
    const lostKeys = new Map(lost.map((each) => [keyOf(each), each]));
    const gone = new Set(evicted.map(keyOf));
    const preempted = new Set(placements.flatMap((each) => [...each.preempted.keys()]));
    const services: Service[] = [...byService(home.pods)].flatMap(([, { controller, pods }]) => {
        const concerned = pods.filter(
            (pod) => gone.has(keyOf(pod)) || preempted.has(keyOf(pod)) || pod.spec.nodeName === undefined,
        );
        if (concerned.length === 0) {
            return [];
        }
        const runs = (pod: Pod, { placed, preempted: moved }: Placement) => {
            const key = keyOf(pod);
            const stays = pod.spec.nodeName !== undefined && !gone.has(key) && !moved.has(key);
            return stays || placed.has(key);
        };
        const after = placements.map((each) => pods.filter((pod) => runs(pod, each)).length);
        const moves = concerned.flatMap((pod) => {
            const key = keyOf(pod);
            const to = [...new Set(placements.flatMap((each) => each.placed.get(key) ?? []))].sort();
            return to.length > 0 ? [{ pod: key, ...(pod.spec.nodeName && { from: pod.spec.nodeName }), to }] : [];
        });
        const volumes = [...new Set(concerned.flatMap(claimsOf).filter((claim) => lostKeys.has(claim)))];
        const reasons = concerned.flatMap((pod) => {
            const missing = claimsOf(pod).filter((claim) => lostKeys.has(claim));
            if (missing.length > 0) {
                return missing.map(
                    (claim) => `volume ${claim.replace(/^.*\//, "")} is on ${pod.spec.nodeName ?? "the node"}`,
                );
            }
            if (controller.kind === "Pod" && gone.has(keyOf(pod))) {
                return ["the pod has no controller that recreates it"];
            }
            return placements.flatMap((each) => each.stuck.get(keyOf(pod)) ?? []).map(reasonOf);
        });
        return [
            {
                service: controller.key,
                before: pods.filter(({ spec }) => spec.nodeName !== undefined).length,
                after: [Math.min(...after), Math.max(...after)] as const,
                moves,
                volumes,
                reasons: [...new Set(reasons)].slice(0, 3),
            },
        ];
    });
    services.sort((one, other) => one.service.localeCompare(other.service, "en"));
    const where = (is: (service: Service) => boolean) => services.filter(is);
    return {
        stops: where(({ before, after: [, most] }) => before > 0 && most === 0),
        mayStop: where(({ before, after: [least, most] }) => before > 0 && least === 0 && most > 0),
        reduced: where(({ before, after: [least] }) => least > 0 && least < before),
        moves: where(({ before, after: [least] }) => before > 0 && least >= before),
        starts: where(({ before, after: [, most] }) => before === 0 && most > 0),
        waiting: where(({ before, after: [, most] }) => before === 0 && most === 0),
        restore: restoreOf(lost, home.backups),
    };
}

/** Finds out what a change does to a home, which the model holds. */
export async function ask(model: Model, home: Home, { without, add }: Change): Promise<Answer> {
    const onLost = ({ spec }: Pod) => spec.nodeName !== undefined && without.includes(spec.nodeName);
    const evicted = home.pods.filter(onLost);
    const lost = lostClaims(home, without);
    const controlPlane = lostControlPlane(home, without);
    if (controlPlane !== undefined) {
        const nothing = { placed: new Map(), stuck: new Map(), preempted: new Map() };
        return { ...answerOf(home, evicted, [nothing], lost), controlPlane };
    }
    await model.evict(evicted);
    await Promise.all([...without.map((name) => model.removeNode(name)), ...add.map((node) => model.addNode(node))]);
    const isRecreated = (pod: Pod) => ![...nodeBound, "Pod"].includes(controllerOf(pod).kind);
    const placements = await model.place([
        ...add.flatMap((node) => daemonPods(home.daemonSets, node)),
        ...evicted.filter(isRecreated),
        ...home.pods.filter(({ spec }) => spec.nodeName === undefined),
    ]);
    return answerOf(home, evicted, placements, lost);
}
