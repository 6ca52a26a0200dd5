import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";
import { main, type Provider } from "@pulumi/pulumi/provider";

/** Milliseconds between two checks that the engine lives, as in Pulumi's own plugins. */
const checkInterval = 5 * 60_000;

/** Shows a line next to a resource until the next one. */
export type ShowStatus = (urn: string, line: string) => void;

/**
 * Serves a provider to the engine that started this process.
 *
 * @param create makes the provider
 */
export function serve(create: (showStatus: ShowStatus) => Provider): void {
    const args = process.argv.slice(2);
    // The engine's address comes after its flags.
    const client = new EngineClient(args.at(-1) ?? "", credentials.createInsecure());
    setInterval(() => {
        client.waitForReady(Date.now() + 10_000, (error) => {
            if (error) {
                process.exit(1);
            }
        });
    }, checkInterval).unref();
    // Exit handlers delete private keys.
    process.once("SIGTERM", () => process.exit(143));
    let sent: Promise<void> = Promise.resolve();
    const showStatus: ShowStatus = (urn, line) => {
        const request = new LogRequest();
        request.setSeverity(LogSeverity.INFO);
        request.setUrn(urn);
        request.setMessage(line);
        request.setEphemeral(true);
        // The engine handles requests in parallel: each is sent after the previous one is answered.
        sent = sent.then(() => new Promise((answered) => client.log(request, () => answered())));
    };
    main(create(showStatus), args);
}
