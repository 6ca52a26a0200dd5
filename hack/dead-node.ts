import { Failure } from "../lib/failure";
import { stepKinds, stepName } from "../provision/plan";
import type { Kubectl } from "./kubectl";

/** Fields of `pulumi stack export` about a node's resources. */
export interface ExportedState {
    readonly deployment: { readonly resources?: readonly { readonly urn: string }[] };
}

/** A node in the API. */
interface LiveNode {
    readonly metadata: { readonly name: string };
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** The type in a URN, with those of its parents. */
const typeOf = (urn: string) => urn.split("::")[2] ?? "";

/** The URNs of all resources on or about a node. */
export function urnsOfNode({ deployment }: ExportedState, node: string): string[] {
    const names = new Set(stepKinds.map((kind) => stepName(node, kind)));
    return (deployment.resources ?? [])
        .map(({ urn }) => urn)
        .filter((urn) => /(^|\$)hearth:provision:Nodes\$/.test(typeOf(urn)) && names.has(urn.split("::").at(-1) ?? ""));
}

/** A state without these resources, and without the dependencies of others on them. */
export function withoutResources<T extends ExportedState>(state: T, urns: readonly string[]): T {
    const gone = new Set(urns);
    const { resources = [] } = state.deployment;
    const kept = resources
        .filter(({ urn }) => !gone.has(urn))
        .map((resource) =>
            JSON.parse(JSON.stringify(resource), (_key, value) =>
                Array.isArray(value) ? value.filter((each) => typeof each !== "string" || !gone.has(each)) : value,
            ),
        );
    return { ...state, deployment: { ...state.deployment, resources: kept } };
}

/**
 * Removes a dead node from the cluster, without a connection to it.
 *
 * @returns whether the cluster had it
 * @throws Failure when it is alive: then Pulumi drains and removes it
 */
export async function deleteDeadNode(kubectl: Kubectl, node: string): Promise<boolean> {
    const live = (await kubectl.list<LiveNode>("nodes")).find(({ metadata }) => metadata.name === node);
    if (live === undefined) {
        return false;
    }
    if (live.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")) {
        throw new Failure(
            `${node} is Ready in the cluster, so it is not forgotten. To remove it, delete it from hearth:nodes and run ` +
                "`npx pulumi up`: it is drained first. If it has just failed, wait a minute",
        );
    }
    // k3s removes a server from etcd before its node is deleted.
    await kubectl.run(["delete", "node", node, "--timeout=120s"]);
    return true;
}
