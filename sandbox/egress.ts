import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { parse, stringify } from "yaml";
import { Failure } from "../lib/failure";
import { writeFileAtomically } from "./files";
import type { Closeable } from "./http-server";
import { clusterDirectory } from "./kwok-config";
import type { SandboxPaths } from "./paths";

/** A certificate of the cluster's own authority, for clients and servers on loopback. */
function credentials(paths: SandboxPaths) {
    const pki = join(clusterDirectory(paths), "pki");
    return { ca: join(pki, "ca.crt"), cert: join(pki, "admin.crt"), key: join(pki, "admin.key") };
}

/**
 * Writes the API server's egress configuration: connections into the cluster go through a proxy, as with konnectivity.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/setup-konnectivity/
 *
 * @param port of loopback, which the proxy keeps for the life of the cluster
 */
export function writeEgressConfig(paths: SandboxPaths, port: number): void {
    const { ca, cert, key } = credentials(paths);
    const tlsConfig = { caBundle: ca, clientCert: cert, clientKey: key };
    const transport = { tcp: { url: `https://127.0.0.1:${port}`, tlsConfig } };
    const content = {
        apiVersion: "apiserver.k8s.io/v1beta1",
        kind: "EgressSelectorConfiguration",
        egressSelections: [{ name: "cluster", connection: { proxyProtocol: "HTTPConnect", transport } }],
    };
    writeFileAtomically(paths.egress, stringify(content));
}

function egressPort(paths: SandboxPaths): number {
    const { egressSelections } = parse(readFileSync(paths.egress, "utf8"));
    return Number(new URL(egressSelections[0].connection.transport.tcp.url).port);
}

/** Splits host:port. */
function splitAddress(text = ""): [host: string, port: number] {
    const colon = text.lastIndexOf(":");
    return [text.slice(0, colon).replace(/^\[|\]$/g, ""), Number(text.slice(colon + 1))];
}

/**
 * Serves the proxy between the API server and the cluster. Addresses of pods lead to their processes, and those of
 * loopback, where kwok replaces the kubelets, to themselves. Only the API server's certificate is accepted.
 *
 * @param portOf finds the port of loopback where the process of a pod listens
 * @throws Failure when the port is in use
 */
export function serveEgress(
    paths: SandboxPaths,
    portOf: (address: string, port: number) => number | undefined,
): Promise<Closeable> {
    const port = egressPort(paths);
    const { ca, cert, key } = credentials(paths);
    const server = createServer({
        ca: readFileSync(ca),
        cert: readFileSync(cert),
        key: readFileSync(key),
        requestCert: true,
    });
    // close() waits for them, but closeAllConnections() does not close them.
    const tunnels = new Set<Duplex>();
    server.on("connect", (request, client, head) => {
        tunnels.add(client);
        const [host, wanted] = splitAddress(request.url);
        const target = ["localhost", "127.0.0.1"].includes(host) ? wanted : portOf(host, wanted);
        client.on("error", () => client.destroy());
        client.on("close", () => tunnels.delete(client));
        if (target === undefined) {
            client.end("HTTP/1.1 502 no process runs for this address\r\n\r\n");
            return;
        }
        const upstream = connect(target, "127.0.0.1", () => {
            client.write("HTTP/1.1 200 OK\r\n\r\n");
            upstream.write(head);
            client.pipe(upstream).pipe(client);
        });
        upstream.on("error", ({ message }) => client.end(`HTTP/1.1 502 ${message}\r\n\r\n`));
        client.on("close", () => upstream.destroy());
        upstream.on("close", () => client.destroy());
    });
    return new Promise((resolve, reject) => {
        server.once("error", (error: NodeJS.ErrnoException) =>
            reject(
                error.code === "EADDRINUSE"
                    ? new Failure(
                          `the cluster was created with port ${port} of 127.0.0.1, which another program uses now. End it (see ` +
                              `\`lsof -i :${port}\`), or make a new cluster: \`npm stop -- --delete\`, then \`npm start\`.`,
                      )
                    : error,
            ),
        );
        server.listen(port, "127.0.0.1", () =>
            resolve({
                close: () =>
                    new Promise((done) => {
                        server.close(() => done());
                        server.closeAllConnections();
                        for (const tunnel of tunnels) {
                            tunnel.destroy();
                        }
                    }),
            }),
        );
    });
}
