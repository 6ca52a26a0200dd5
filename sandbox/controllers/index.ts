import type { Closeable } from "../http-server";
import { repeat } from "../repeat";
import { allOf, Cluster } from "./cluster";
import { ingresses } from "./ingresses";
import { volumes } from "./volumes";

/** Milliseconds in which changes are gathered for one pass. */
const interval = 50;

/**
 * Starts the stand-ins for the CSI driver, k3s' local-path provisioner and Traefik, whose pods run nothing here: each
 * sets the same fields as the real one, from the same objects, and only while its pods are ready.
 *
 * @param log called with a line
 */
export async function startControllers(kubeconfig: string, log: (line: string) => void): Promise<Closeable> {
    const client = await import("@kubernetes/client-node");
    const config = new client.KubeConfig();
    config.loadFromFile(kubeconfig);
    let changed = true;
    const cluster = new Cluster(client, config, () => {
        changed = true;
    });
    const passes = await Promise.all([volumes(cluster), ingresses(cluster)]);
    const pass = async () => {
        if (!changed) {
            return;
        }
        changed = false;
        try {
            await allOf(passes.map((each) => each()));
        } catch (error) {
            changed = true;
            throw error;
        }
    };
    const loop = repeat(interval, "controllers", pass, log);
    return {
        close: async () => {
            await loop.close();
            await cluster.close();
        },
    };
}
