import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Closeable } from "../http-server";
import { type AdmissionContext, type AdmissionRequest, review } from "./admission";
import type { Cluster } from "./cluster";
import { resources } from "./resources";
import { makeKey, sign } from "./x509";

/** A Service that a webhook points at. */
export interface WebhookService {
    readonly namespace: string;
    readonly name: string;
}

/** The server that answers in place of all webhooks. */
export interface WebhookServer extends Closeable {
    /** Where it answers for a Service. */
    url(service: WebhookService, path: string): string;
    /** The CA that signed its certificate: PEM, in base64 as a webhook's caBundle. */
    readonly caBundle: string;
}

/** The largest object that the API server takes is smaller, in bytes. */
const largest = 8_000_000;

/** Ten years, in milliseconds: longer than any sandbox runs. */
const lifetime = 10 * 365 * 86_400_000;

/** Whether a Service has an endpoint that takes connections. */
export function isServing(cluster: Cluster, { namespace, name }: WebhookService): boolean {
    return cluster
        .store(resources.endpointSlices)
        .list()
        .filter(({ metadata }) => metadata?.namespace === namespace)
        .filter(({ metadata }) => metadata?.labels?.["kubernetes.io/service-name"] === name)
        .some(({ endpoints }) => endpoints?.some(({ conditions }) => conditions?.ready));
}

/**
 * The answer to an AdmissionReview, as HTTP. What it cannot read is an error of that request alone: the API server
 * tells it to who made the request, and the sandbox lives on.
 *
 * @param text the body of the request
 */
export function answerReview(text: string, context: AdmissionContext): { status: number; body: string } {
    try {
        const { request }: { request: AdmissionRequest } = JSON.parse(text);
        const message = review(request, context);
        const response = {
            uid: request.uid,
            allowed: message === undefined,
            ...(message === undefined ? {} : { status: { message, code: 403, reason: "Forbidden" } }),
        };
        const answer = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
        return { status: 200, body: JSON.stringify(answer) };
    } catch (error) {
        return { status: 500, body: JSON.stringify({ message: `the sandbox's webhook: ${(error as Error).message}` }) };
    }
}

/** Starts the server, on a free port of loopback and with a certificate authority of its own. */
export async function serveWebhooks(cluster: Cluster): Promise<WebhookServer> {
    const pools = cluster.store(resources.addressPools);
    cluster.store(resources.endpointSlices);
    const authority = await makeKey({ algorithm: "ECDSA" });
    const certificate = await sign(
        { commonName: "webhooks of the sandbox", isCA: true, duration: lifetime },
        authority,
    );
    const key = await makeKey({ algorithm: "ECDSA" });
    const contents = { ipAddresses: ["127.0.0.1"], usages: ["digital signature", "server auth"], duration: lifetime };
    const cert = await sign(contents, key, { certificate, key: authority });

    const server = createServer({ key, cert }, (request, response) => {
        const [, namespace = "", name = ""] = (request.url ?? "").split("/");
        if (!isServing(cluster, { namespace, name })) {
            // To the API server it is as if nobody listened, as on a Service without endpoints.
            request.socket.destroy();
            return;
        }
        const chunks: Buffer[] = [];
        let size = 0;
        request.on("data", (chunk: Buffer) => {
            size += chunk.length;
            if (size > largest) {
                request.destroy();
            }
            chunks.push(chunk);
        });
        request.on("end", () => {
            const own = pools.list().filter(({ metadata }) => metadata?.namespace === namespace);
            const { status, body } = answerReview(Buffer.concat(chunks).toString(), { namespace, pools: own });
            response.writeHead(status, { "content-type": "application/json" }).end(body);
        });
    });
    await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    return {
        url: ({ namespace, name }, path) => `https://127.0.0.1:${port}/${namespace}/${name}${path}`,
        caBundle: Buffer.from(certificate).toString("base64"),
        close: () =>
            new Promise((done) => {
                server.close(() => done());
                server.closeAllConnections();
            }),
    };
}
