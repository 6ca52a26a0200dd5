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
import { daemonPods, type Rollout } from "./rollout";

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
    /** Pods that it has, or its workload wants. */
    readonly pods: number;
    /** Pods that run now. */
    readonly before: number;
    /** Pods that run afterward: minimum and maximum, if the order in which pods are recreated matters. */
    readonly after: readonly [least: number, most: number];
    readonly moves: readonly Move[];
    /** Claims of its pods whose volume is lost. */
    readonly volumes: readonly string[];
    /** Reasons why pods of it do not run, mostly the scheduler's own. */
    readonly reasons: readonly string[];
}

/** Outcome of a change. */
export interface Answer {
    /** Services that run now, and not afterward. */
    readonly stops: readonly Service[];
    /**
     * Services that stop or keep running depending on the order in which pods are recreated: capacity does not suffice
     * for all.
     */
    readonly mayStop: readonly Service[];
    /** Services that run with fewer pods. */
    readonly reduced: readonly Service[];
    /** Services with every pod running, some on another node. */
    readonly moves: readonly Service[];
    /** Services that do not run now, and do afterward. */
    readonly starts: readonly Service[];
    /** Services that do not run now, and do not afterward either. */
    readonly waiting: readonly Service[];
    /** Services of the chart for which a node or capacity is missing. */
    readonly unfit: readonly Service[];
    /** Reason why nothing moves: the change leaves the home without its API server. */
    readonly controlPlane?: string;
    /** Return of the data that is lost. */
    readonly restore: Restore;
}

/** Reports whether a service stops or gets no node. */
export const isBad = ({ stops, mayStop, unfit }: Answer) => stops.length + mayStop.length + unfit.length > 0;

/** A change of a home. */
export interface Change {
    /** Nodes that are lost, with their disks. */
    readonly without: readonly string[];
    readonly add: readonly Node[];
}

/** Controllers whose pods are part of a node rather than a service. */
const nodeBound = ["DaemonSet", "Node"];

/** A message of the scheduler without its failed attempts. */
const reasonOf = (message: string) =>
    message
        .replace(/preemption: .*$/s, "")
        .replace(/(, )?no new claims to deallocate,?/, "")
        .replace(/(?<![ ,.])[ ,.]+$/, "");

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
        return "no server is left: pods on other nodes keep running, but none is moved or restarted until a server is back";
    }
    if (membersLeft < Math.floor(members / 2) + 1 && members > 0) {
        return (
            `etcd has ${membersLeft} of ${members} members and no quorum: pods on other nodes keep running, but none is ` +
            "moved or restarted until one is back"
        );
    }
    return undefined;
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

/** Groups the fates of pods into the categories of an answer. */
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
        if (concerned.length === 0 || placements.length === 0) {
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
                pods: pods.length,
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
        moves: where(({ before, after: [least], moves }) => before > 0 && least >= before && moves.length > 0),
        starts: where(({ before, after: [, most] }) => before === 0 && most > 0),
        waiting: where(({ before, after: [, most] }) => before === 0 && most === 0),
        unfit: [],
        restore: restoreOf(lost, home.backups),
    };
}

const needsNode = ({ spec }: Pod) => spec.nodeName === undefined;

/** Pods that their controller creates again, on another node. */
const recreated = (pods: readonly Pod[]) =>
    pods.filter((pod) => ![...nodeBound, "Pod"].includes(controllerOf(pod).kind));

/** Keys of the pods that mount one of the claims. */
function mounting(pods: readonly Pod[], claims: readonly Claim[]): ReadonlySet<string> {
    const keys = new Set(claims.map(keyOf));
    return new Set(pods.filter((pod) => claimsOf(pod).some((claim) => keys.has(claim))).map(keyOf));
}

/** Answers for the loss of nodes, and for new ones. */
export async function askNodes(model: Model, home: Home, { without, add }: Change): Promise<Answer> {
    const evicted = home.pods.filter(({ spec }) => without.includes(spec.nodeName ?? ""));
    const lost = lostClaims(home, without);
    const controlPlane = lostControlPlane(home, without);
    if (controlPlane !== undefined) {
        const nothing = { placed: new Map(), stuck: new Map(), preempted: new Map() };
        return { ...answerOf(home, evicted, [nothing], lost), controlPlane };
    }
    await model.evict(evicted);
    await Promise.all([...without.map((name) => model.removeNode(name)), ...add.map((node) => model.addNode(node))]);
    const placements = await model.place(
        [...daemonPods(home.daemonSets, add), ...recreated(evicted), ...home.pods.filter(needsNode)],
        mounting(evicted, lost),
    );
    return answerOf(home, evicted, placements, lost);
}

/** Answers for a chart in the checkout, in addition to the rest of the home. */
export async function askRollout(model: Model, home: Home, rollout: Rollout): Promise<Answer> {
    const { pods, claims, evicted, replaced } = rollout;
    await model.evict(evicted);
    await Promise.all(claims.map((claim) => model.addClaim(claim)));
    const after = { ...home, pods: [...home.pods.filter((pod) => !replaced.includes(pod)), ...pods] };
    const answer = answerOf(after, [], await model.place(after.pods.filter(needsNode)), []);
    const own = new Set(pods.map((pod) => controllerOf(pod).key));
    const isUnfit = ({ service, pods: wanted, after: [least] }: Service) => own.has(service) && least < wanted;
    const fits = (service: Service) => !isUnfit(service);
    return {
        ...answer,
        starts: answer.starts.filter(fits),
        waiting: answer.waiting.filter(fits),
        unfit: [...answer.starts, ...answer.waiting].filter(isUnfit),
    };
}

/** Answer for one node of an upgrade. */
export interface NodeAnswer extends Answer {
    readonly node: string;
    /** Pods for which draining the node is refused, since no controller recreates them. The upgrade ends there. */
    readonly refused: readonly string[];
}

/**
 * Answers for an upgrade of k3s: one node after the other is drained, servers first. Pods that moved stay where they are.
 *
 * @returns services that stop or move while each node is drained; nothing for a home of one node, which is not drained
 */
export async function askUpgrade(model: Model, home: Home): Promise<NodeAnswer[]> {
    const isServer = (node: Node) => role(node, "control-plane");
    const nodes = [...home.nodes.filter(isServer), ...home.nodes.filter((node) => !isServer(node))];
    const answers: NodeAnswer[] = [];
    if (nodes.length === 1) {
        return answers;
    }
    let waiting = home.pods.filter(needsNode);
    for (const { metadata, spec } of nodes) {
        const node = metadata.name;
        const now = { ...home, pods: [...model.pods, ...waiting] };
        const evicted = model.pods.filter(
            (pod) => pod.spec.nodeName === node && !nodeBound.includes(controllerOf(pod).kind),
        );
        const refused = evicted.filter((pod) => controllerOf(pod).kind === "Pod").map(keyOf);
        if (refused.length > 0) {
            answers.push({ node, refused, ...answerOf(now, [], [], []) });
            return answers;
        }
        await model.setSchedulable(node, false);
        await model.evict(evicted);
        const onDisk = lostClaims(home, [node]);
        const placements = await model.place([...recreated(evicted), ...waiting], mounting(evicted, onDisk));
        answers.push({ node, refused, ...answerOf(now, evicted, placements, onDisk), restore: restoreOf([], []) });
        await model.setSchedulable(node, !spec?.unschedulable);
        const placed = new Set(model.pods.map(keyOf));
        const left = recreated(now.pods)
            .filter((pod) => !placed.has(keyOf(pod)))
            .map(({ metadata, spec: { nodeName, ...rest } }) => ({ metadata, spec: rest }));
        await model.settle(left);
        const running = new Set(model.pods.map(keyOf));
        waiting = left.filter((pod) => !running.has(keyOf(pod)));
    }
    return answers;
}
