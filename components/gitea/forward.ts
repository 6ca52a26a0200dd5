import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Writable } from "node:stream";
import { type Instance, loadClient, loadKubeConfig } from "../waits/cluster";

/** The pod of charts/gitops that Gitea runs in, and its port. */
const gitea = { namespace: "gitops", pod: "gitea-0", port: 3000 };

/** Copies data from a connection into the pod and back, until either end closes it. */
async function carry(
    socket: Socket,
    forward: Instance<"PortForward">,
    report: (problem: string) => void,
): Promise<void> {
    const refused = new Writable({
        write: (chunk: Buffer, _encoding, done) => {
            // The port number comes first, and is removed.
            if (chunk.length > 0) {
                report(chunk.toString().trim());
                socket.destroy();
            }
            done();
        },
    });
    try {
        const { namespace, pod, port } = gitea;
        const remote = await forward.portForward(namespace, pod, [port], socket, refused, socket);
        if ("addEventListener" in remote) {
            remote.addEventListener("close", () => socket.destroy());
            const end = () => remote.close();
            // The client may have disconnected before: an open connection would keep this program from exiting.
            if (socket.closed) {
                end();
            } else {
                socket.once("close", end);
            }
        }
    } catch (error) {
        report(String(Object(error).message));
        socket.destroy();
    }
}

/** Port forwarder that gives up if the API server does not open the connection in time. */
async function portForward(kubeconfig: string, connectLimit: number): Promise<Instance<"PortForward">> {
    const client = loadClient();
    const config = loadKubeConfig(client, kubeconfig);
    const apply = config.applyToHTTPSOptions.bind(config);
    // The client passes these to its WebSocket, and has no time limit.
    config.applyToHTTPSOptions = async (options) => {
        await apply(options);
        Object.assign(options, { handshakeTimeout: connectLimit });
    };
    return new client.PortForward(config);
}

/**
 * Calls `use` with an address on loopback that leads to the home's own Gitea through the cluster's API server, which
 * works before the home's names, certificates and load-balancer addresses do, and needs only the kubeconfig's rights.
 * https://kubernetes.io/docs/tasks/access-application-cluster/port-forward-access-application-cluster/
 *
 * @param kubeconfig a path, or the contents
 * @param connectLimit milliseconds for the API server to open a connection into the pod
 * @throws what `use` throws; if no connection came through, with the API server's reason
 */
export async function throughCluster<T>(
    kubeconfig: string,
    use: (address: string) => Promise<T>,
    connectLimit = 10_000,
): Promise<T> {
    const forward = await portForward(kubeconfig, connectLimit);
    const open = new Set<Socket>();
    const problems: string[] = [];
    const server = createServer((socket) => {
        open.add(socket);
        // The client sees it too, and reports it.
        socket.on("error", () => {}).once("close", () => open.delete(socket));
        void carry(socket, forward, (problem) => problems.push(problem));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
        return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    } catch (error) {
        const problem = problems.at(-1);
        if (problem === undefined || !(error instanceof Error)) {
            throw error;
        }
        const { namespace, pod } = gitea;
        throw new Error(
            `${error.message}\nThe API server could not connect to the pod ${pod}: ${problem}. Inspect it with:\n` +
                `  kubectl --namespace ${namespace} describe pod ${pod}`,
        );
    } finally {
        server.close();
        for (const socket of open) {
            socket.destroy();
        }
    }
}
