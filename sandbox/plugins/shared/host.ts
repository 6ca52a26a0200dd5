import * as grpc from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

/** How much a message matters. */
export type Severity = "debug" | "info" | "warning" | "error";

const severities: Record<Severity, LogSeverity> = {
    debug: LogSeverity.DEBUG,
    info: LogSeverity.INFO,
    warning: LogSeverity.WARNING,
    error: LogSeverity.ERROR,
};

/** Writes to the engine's display. */
export interface Host {
    /** A message that stays. */
    log(severity: Severity, urn: string, message: string): void;
    /** What a resource is doing right now; "" clears it. */
    status(severity: Severity, urn: string, message: string): void;
}

/** The engine that started this plugin. Messages arrive in order, and what sends them does not wait for that. */
export class EngineHost implements Host {
    #client: EngineClient | undefined;
    #sent: Promise<unknown> = Promise.resolve();

    /** @param address the engine's address; without one, messages are dropped */
    constructor(address: string | undefined) {
        this.connect(address);
    }

    /** Writes to another engine from now on. */
    connect(address: string | undefined): void {
        this.#client = address
            ? new EngineClient(address, grpc.credentials.createInsecure(), {
                  "grpc.max_receive_message_length": 400 * 1024 * 1024,
              })
            : undefined;
    }

    log(severity: Severity, urn: string, message: string): void {
        this.#send(severity, urn, message, false);
    }

    status(severity: Severity, urn: string, message: string): void {
        this.#send(severity, urn, message, true);
    }

    #send(severity: Severity, urn: string, message: string, ephemeral: boolean): void {
        const request = new LogRequest();
        request.setSeverity(severities[severity]);
        request.setUrn(urn);
        request.setMessage(message);
        request.setEphemeral(ephemeral);
        const client = this.#client;
        // The engine takes requests side by side: the next one starts when it has taken this one.
        this.#sent = this.#sent.then(
            () => new Promise<void>((taken) => client?.log(request, () => taken()) ?? taken()),
        );
    }
}
