import type { Host } from "../shared/host";
import { Cluster } from "./cluster";
import type { Configuration } from "./configuration";
import { connect } from "./credentials";
import { Definitions } from "./definitions";
import { isNamespacedBuiltIn } from "./kinds";
import { type ActiveContext, activeContext, ambientKubeconfig, type Kubeconfig, readKubeconfig } from "./kubeconfig";
import type { GroupVersionKind } from "./objects";

/** What every operation works with. */
export interface Session {
    readonly host: Host;
    readonly configuration: Configuration;
    /** Namespace of objects that name none. */
    readonly namespace: string;
    /** The cluster, or why it cannot be reached. */
    readonly cluster: Cluster | Unreachable;
    /** The kubeconfig in use, for Helm. */
    readonly kubeconfig: Kubeconfig | undefined;
    /** Custom kinds that this run is about to define. */
    readonly definitions: Definitions;
    /** Ends when the user cancels. */
    readonly signal: AbortSignal;
}

/** A cluster that cannot be reached. Previews go on without it. */
export class Unreachable {
    constructor(readonly reason: string) {}
}

function messageOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

function clientReason(error: unknown): string {
    return (
        "unable to load Kubernetes client configuration from kubeconfig file. Make sure you have: \n\n" +
        " \t • set up the provider as per " +
        `https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/ \n\n ${messageOf(error)}`
    );
}

async function reach(context: ActiveContext, kubeconfig: Kubeconfig): Promise<Cluster | Unreachable> {
    let cluster: Cluster;
    try {
        cluster = new Cluster(await connect(context, kubeconfig.directory));
    } catch (error) {
        return new Unreachable(clientReason(error));
    }
    try {
        await cluster.discovery.load();
        return cluster;
    } catch (error) {
        // The official plugin asks for the schema first; its users know the failure by that address.
        const message = messageOf(error).replace(/\/apis?": /, '/openapi/v2?timeout=32s": ');
        return new Unreachable(`unable to load schema information from the API server: ${message}`);
    }
}

/**
 * Connects to the cluster that the configuration names. A wrong kubeconfig or a cluster that does not answer is no
 * error yet: it is one when something is to be done there.
 */
export async function openSession(configuration: Configuration, host: Host, signal: AbortSignal): Promise<Session> {
    const common = { host, configuration, signal, definitions: new Definitions() };
    const namespace = configuration.namespace || "default";
    let kubeconfig: Kubeconfig;
    try {
        kubeconfig = configuration.kubeconfig ? readKubeconfig(configuration.kubeconfig) : ambientKubeconfig();
    } catch (error) {
        const reason = `failed to parse kubeconfig data in \`kubernetes:config:kubeconfig\`- ${messageOf(error)}`;
        return { ...common, namespace, cluster: new Unreachable(reason), kubeconfig: undefined };
    }
    try {
        const context = activeContext(kubeconfig, configuration);
        const cluster = await reach(context, kubeconfig);
        return { ...common, namespace: context.namespace, cluster, kubeconfig };
    } catch (error) {
        return { ...common, namespace, cluster: new Unreachable(clientReason(error)), kubeconfig };
    }
}

/**
 * The cluster of a session.
 *
 * @throws Error when it cannot be reached
 */
export function reachable({ cluster }: Session): Cluster {
    if (cluster instanceof Unreachable) {
        throw new Error(`configured Kubernetes cluster is unreachable: ${cluster.reason}`);
    }
    return cluster;
}

/** Whether objects of a kind live in a namespace. A kind that nobody knows yet is assumed to. */
export async function isNamespaced({ cluster }: Session, gvk: GroupVersionKind): Promise<boolean> {
    const known = cluster instanceof Unreachable ? isNamespacedBuiltIn(gvk) : await cluster.discovery.isNamespaced(gvk);
    return known ?? true;
}
