/** Kinds of steps, in the order in which they start. */
export const stepKinds = [
    "k3s-binary",
    "baseline",
    "access",
    "access-confirmed",
    "api-address",
    "storage",
    "unlock",
    "unattended",
    "k3s-join",
    "k3s-converge",
    "credentials",
    "api",
    "leave",
    "tunnel",
    "token",
    "member",
] as const;

/** One of {@link stepKinds}. */
export type StepKind = (typeof stepKinds)[number];

/** Name of the resource for a step of a node. */
export function stepName(node: string, kind: StepKind): string {
    return `${node}-${kind}`;
}

/** The part of a node's settings that determines the order of steps. */
export interface PlannedNode {
    readonly name: string;
    readonly role: "server" | "agent";
    readonly disks: readonly unknown[];
    readonly unlock?: unknown;
    /** True if the node is switched off: its steps are planned, and none of them runs. */
    readonly offline: boolean;
}

/** One step: a script that runs on one node. */
export interface Step<N extends PlannedNode> {
    /** Name of the resource. */
    readonly name: string;
    readonly kind: StepKind;
    /** The node that the step is about. */
    readonly node: N;
    /** The node that runs the script: itself, or the first server. */
    readonly on: N;
    /** Names of the steps that end before it starts. Deletes run in the opposite order. */
    readonly after: readonly string[];
}

/** The server that starts the cluster, and is queried later: the first one that is not offline. */
export function firstServer<N extends PlannedNode>(nodes: readonly N[]): N | undefined {
    return nodes.find(({ role, offline }) => role === "server" && !offline);
}

/** The first server, other servers, then agents: nodes join in this order, and leave in reverse. */
function inTurn<N extends PlannedNode>(nodes: readonly N[], first: N): N[] {
    const servers = nodes.filter((node) => node.role === "server" && node !== first);
    return [first, ...servers, ...nodes.filter(({ role }) => role === "agent")];
}

/**
 * All steps that turn nodes into a cluster, each after its dependencies. Nodes are prepared in parallel, once the
 * pinned k3s is on all of them. The first server starts when every node is prepared. Servers then join and converge one
 * after the other, because etcd accepts one change of its members at a time, and the API server's certificate has to
 * name the API's address before an agent uses it. Agents join in parallel and converge one after the other. Nodes leave
 * one at a time, agents before servers and the first server last.
 *
 * @param first see {@link firstServer}
 * @param options `virtual`: true if the servers share the API's address
 */
export function planSteps<N extends PlannedNode>(
    nodes: readonly N[],
    first: N,
    { virtual }: { readonly virtual: boolean },
): Step<N>[] {
    const steps: Step<N>[] = [];
    const add = (kind: StepKind, node: N, after: readonly string[], on: N = node): string => {
        const name = stepName(node.name, kind);
        steps.push({ name, kind, node, on, after });
        return name;
    };

    const fetched = nodes.map((node) => add("k3s-binary", node, []));
    const prepared = nodes.map((node) => {
        const baseline = add("baseline", node, fetched);
        const access = add("access", node, [baseline]);
        // A second session confirms the first one's changes to sshd and the firewall.
        let last = add("access-confirmed", node, [access]);
        if (virtual && node.role === "server") {
            last = add("api-address", node, [last]);
        }
        if (node.disks.length > 0) {
            last = add("storage", node, [last]);
            last = add(node.unlock === undefined ? "unattended" : "unlock", node, [last]);
        }
        return last;
    });

    const order = inTurn(nodes, first);
    const [, ...otherServers] = order.filter(({ role }) => role === "server");
    const started = add("k3s-join", first, prepared);
    let turn = add("k3s-converge", first, [started]);
    const credentials = add("credentials", first, [turn]);
    for (const node of otherServers) {
        const joined = add("k3s-join", node, [turn, credentials]);
        turn = add("k3s-converge", node, [joined]);
    }
    const api = add("api", first, [turn, credentials]);
    const agents = order.filter(({ role }) => role === "agent");
    const joined = agents.map((node) => add("k3s-join", node, [api]));
    let before = joined.length > 0 ? joined : [api];
    for (const node of agents) {
        before = [add("k3s-converge", node, before)];
    }

    let last: string[] = [api];
    for (const node of order) {
        const leave = add("leave", node, [...last, stepName(node.name, "k3s-converge")]);
        add("member", node, [leave], first);
        last = [leave];
    }
    return steps;
}

/**
 * All steps that turn a host on the Internet into the home's edge, after the home's nodes.
 *
 * The edge listens before nodes dial it, and joins when all of them have a tunnel: pods on it reach pods on every node.
 * Nothing runs on it when it leaves, so that a lost or compromised one can be removed: first from the cluster, then the
 * nodes close their ends of the tunnel.
 *
 * @param first see {@link firstServer}
 */
export function planEdge<N extends PlannedNode>(edge: N, nodes: readonly N[], first: N): Step<N>[] {
    const steps: Step<N>[] = [];
    const add = (kind: StepKind, after: readonly string[], node: N = edge, on: N = node): string => {
        const name = stepName(node.name, kind);
        steps.push({ name, kind, node, on, after });
        return name;
    };
    const baseline = add("baseline", [add("k3s-binary", [])]);
    const access = add("access", [baseline]);
    const listening = add("tunnel", [add("access-confirmed", [access])]);
    const dialed = nodes.map((node) => add("tunnel", [listening], node));
    const token = add("token", [baseline], edge, first);
    const joined = add("k3s-join", [...dialed, token]);
    add("member", [add("k3s-converge", [joined])], edge, first);
    return steps;
}

/** A plan as text: a line for each step, with the steps that it waits for. */
export function formatPlan(steps: readonly Step<PlannedNode>[]): string {
    return steps
        .map(({ name, node, on, after }) => {
            const where = on === node ? "" : ` (on ${on.name})`;
            return `${name}${where}${after.length === 0 ? "" : ` <- ${after.join(", ")}`}`;
        })
        .join("\n");
}
