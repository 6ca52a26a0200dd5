import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** One alert in a message of Alertmanager. */
export interface ReceivedAlert {
    readonly status: "firing" | "resolved";
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
}

/** A message of Alertmanager, as a webhook gets it. */
export interface Message {
    /** Path that it was sent to. */
    readonly path: string;
    /** Fields that ntfy would show: title, message, priority, tags and the address that a tap opens. */
    readonly shown: Readonly<Record<string, string>>;
    /** Bytes of JSON. */
    readonly size: number;
    readonly receiver: string;
    readonly alerts: readonly ReceivedAlert[];
}

/** Stand-in for ntfy that keeps every message. */
export class Receiver {
    readonly messages: Message[] = [];

    private constructor(private readonly server: Server) {}

    static start(): Promise<Receiver> {
        return new Promise((resolve) => {
            const server = createServer((request, response) => {
                let body = "";
                request.on("data", (chunk: Buffer) => {
                    body += chunk.toString();
                });
                request.on("end", () => {
                    const { pathname: path, searchParams } = new URL(request.url ?? "", "http://ntfy");
                    const size = Buffer.byteLength(body);
                    receiver.messages.push({
                        ...JSON.parse(body),
                        path,
                        shown: Object.fromEntries(searchParams),
                        size,
                    });
                    response.end();
                });
            });
            const receiver = new Receiver(server);
            server.listen(0, "127.0.0.1", () => resolve(receiver));
        });
    }

    /** Its address on loopback. */
    get url(): string {
        return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    }

    /** Names of the alerts that arrived in a state, with the value of a label if one is given. */
    names(status: ReceivedAlert["status"], label?: string): string[] {
        return this.messages
            .flatMap(({ alerts }) => alerts)
            .filter((alert) => alert.status === status)
            .map(({ labels }) => [labels["alertname"], label && labels[label]].filter(Boolean).join(" "));
    }

    close(): Promise<void> {
        this.server.closeAllConnections();
        return new Promise((resolve) => this.server.close(() => resolve()));
    }
}
