import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { throughCluster } from "../../../components/gitea/forward";
import { kubeconfigOf } from "./api-server";

let api: Server;

beforeEach(async () => {
    api = createServer().listen(0, "127.0.0.1");
    await once(api, "listening");
});

afterEach(async () => {
    api.closeAllConnections();
    await new Promise((closed) => api.close(closed));
});

const kubeconfig = () =>
    kubeconfigOf({
        server: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
        "insecure-skip-tls-verify": true,
    });

/** Opens a WebSocket like the API server. https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2 */
function open({ headers }: IncomingMessage, socket: Duplex): void {
    const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const protocol = String(headers["sec-websocket-protocol"]).split(",", 1);
    socket.write(
        [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            `Sec-WebSocket-Accept: ${createHash("sha1").update(key).digest("base64")}`,
            `Sec-WebSocket-Protocol: ${protocol}`,
            "\r\n",
        ].join("\r\n"),
    );
}

const upgrade = () => once(api, "upgrade") as Promise<[request: IncomingMessage, socket: Duplex]>;

test("a connection that the API server opens after the client's timeout is closed", async () => {
    const asked = upgrade();
    await throughCluster(kubeconfig(), async (address) => {
        const visitor = connect(Number(new URL(address).port));
        await asked;
        visitor.destroy();
    });

    const [request, socket] = await asked;
    open(request, socket);
    const [frame]: Buffer[] = await once(socket, "data");
    socket.destroy();

    // The opcode of a close frame.
    expect(frame?.[0]).toBe(0x88);
});

test("an API server that opens no connection is reported after a timeout", async () => {
    const asked = upgrade();
    const visit = throughCluster(
        kubeconfig(),
        async (address) => {
            await once(connect(Number(new URL(address).port)).resume(), "close");
            throw new Error("Gitea did not answer");
        },
        100,
    );
    await expect(visit).rejects.toThrow(
        /Gitea did not answer\nThe API server could not connect to the pod gitea-0: Opening handshake has timed out/,
    );
    const [, socket] = await asked;
    socket.destroy();
});
