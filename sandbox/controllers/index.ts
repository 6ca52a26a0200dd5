import type { Closeable } from "../http-server";
import { Api } from "./api";
import { Cluster } from "./cluster";
import { ingresses } from "./ingresses";
import type { KubeConfig } from "./kubernetes-types";
import { loadBalancers } from "./load-balancers";
import { runController } from "./loop";
import { volumes } from "./volumes";

/**
 * Starts what stands in for the controllers whose pods run nothing here: each sets what the real one would, from the
 * objects that the real one reads, and only while the real one's pods are ready.
 *
 * @param log takes a line
 */
export async function startControllers(kubeConfig: KubeConfig, log: (line: string) => void): Promise<Closeable> {
    const { Watch } = await import("@kubernetes/client-node");
    const cluster = new Cluster(await Api.connect(kubeConfig), new Watch(kubeConfig), log);
    const controllers = [volumes, loadBalancers, ingresses];
    const running = controllers.map((controller) => runController(controller(cluster), log));
    return {
        close: async () => {
            await Promise.all(running.map((each) => each.close()));
            await cluster.close();
        },
    };
}
