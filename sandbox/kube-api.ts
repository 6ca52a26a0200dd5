import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { parse } from "yaml";

/** Reads objects of the sandbox's cluster. */
export interface KubeApi {
    /**
     * @param path of an object or a list, such as /api/v1/namespaces/default
     * @returns undefined when there is none
     * @throws Error when the API server does not answer, or rejects the request
     */
    get<T>(path: string): Promise<T | undefined>;
    /** Ends idle connections. */
    close(): void;
}

interface Kubeconfig {
    clusters: { cluster: { server: string; "certificate-authority-data": string } }[];
    users: { user: { "client-certificate-data": string; "client-key-data": string } }[];
}

/** Access by the sandbox's kubeconfig, whose only cluster and user have embedded certificates. */
export function kubeApi(kubeconfigFile: string): KubeApi {
    const { clusters, users }: Kubeconfig = parse(readFileSync(kubeconfigFile, "utf8"));
    const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
    if (!cluster || !user) {
        throw new Error(`${kubeconfigFile} has no cluster`);
    }
    const decode = (text: string) => Buffer.from(text, "base64");
    const agent = new Agent({
        keepAlive: true,
        ca: decode(cluster["certificate-authority-data"]),
        cert: decode(user["client-certificate-data"]),
        key: decode(user["client-key-data"]),
    });
    return {
        get: <T>(path: string) =>
            new Promise<T | undefined>((resolve, reject) => {
                const call = request(new URL(path, cluster.server), { agent, timeout: 5_000 }, (response) => {
                    const chunks: Buffer[] = [];
                    response.on("data", (chunk: Buffer) => chunks.push(chunk));
                    response.on("error", reject);
                    response.on("end", () => {
                        const body = Buffer.concat(chunks).toString();
                        if (response.statusCode === 200) {
                            resolve((body.startsWith("{") ? JSON.parse(body) : body) as T);
                        } else if (response.statusCode === 404) {
                            resolve(undefined);
                        } else {
                            reject(new Error(`GET ${path}: HTTP ${response.statusCode} ${body.slice(0, 200)}`));
                        }
                    });
                });
                call.on("timeout", () => call.destroy(new Error(`GET ${path}: no answer in 5 s`)));
                call.on("error", reject);
                call.end();
            }),
        close: () => agent.destroy(),
    };
}
