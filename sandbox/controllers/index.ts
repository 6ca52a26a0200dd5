import type { Closeable } from "../http-server";
import { Api } from "./api";
import { certificates } from "./certificates";
import { Cluster } from "./cluster";
import { ingressShim } from "./ingress-shim";
import { ingresses } from "./ingresses";
import type { KubeConfig } from "./kubernetes-types";
import { loadBalancers } from "./load-balancers";
import { runController } from "./loop";
import { volumes } from "./volumes";
import { serveWebhooks } from "./webhook-server";
import { webhooks } from "./webhooks";

/**
 * Starts what stands in for the controllers whose pods run nothing here: each sets what the real one would, from the
 * objects that the real one reads, and only while the real one's pods are ready.
 *
 * @param log takes a line
 */
export async function startControllers(kubeConfig: KubeConfig, log: (line: string) => void): Promise<Closeable> {
    const { Watch } = await import("@kubernetes/client-node");
    const cluster = new Cluster(await Api.connect(kubeConfig), new Watch(kubeConfig), log);
    const server = await serveWebhooks(cluster);
    const controllers = [
        webhooks(cluster, server),
        volumes(cluster),
        loadBalancers(cluster),
        ingresses(cluster),
        certificates(cluster),
        ingressShim(cluster),
    ];
    const running = controllers.map((controller) => runController(controller, log));
    // Webhooks still ask at the address of the last start until this one's first pass.
    await Promise.all(running.map(({ settled }) => settled));
    return {
        close: async () => {
            await Promise.all(running.map((each) => each.close()));
            await server.close();
            await cluster.close();
        },
    };
}
