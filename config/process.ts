/** Prepares the process that the program runs in: workarounds for Pulumi's SDK, and room for the state. */
import * as pulumi from "@pulumi/pulumi";
import { root } from "../lib/root";
import { checkFreeSpace } from "./backend";

type Log = NonNullable<ReturnType<typeof pulumi.runtime.getEngine>>["log"];

/** Debug messages in which the SDK prints all outputs of a resource, secrets in plain text. */
const response = /^((?:RegisterResource|ReadResource|Invoke)\b.* RPC finished: [\s\S]*?)(resp: )[\s\S]*$/;

/**
 * Leaves responses out of the debug log of `pulumi up --debug`, which people attach to bug reports. The SDK only logs
 * sent messages with a flag, but always logs received ones: https://github.com/pulumi/pulumi/pull/24479
 */
function hideResponses(): void {
    const engine = pulumi.runtime.getEngine();
    if (engine === undefined) {
        return; // In a unit test.
    }
    const log = engine.log.bind(engine) as (...args: Parameters<Log>) => ReturnType<Log>;
    engine.log = (...args: unknown[]) => {
        const [request, ...rest] = args as Parameters<Log>;
        request.setMessage(request.getMessage().replace(response, "$1$2(left out)"));
        return log(request, ...rest);
    };
}

/**
 * Ends this program when its engine was killed. Node then throws at each line that it cannot print, the SDK prints that
 * exception, and so on with ever more memory: https://github.com/pulumi/pulumi/issues/1465
 */
function exitWithEngine(): void {
    for (const stream of [process.stdout, process.stderr]) {
        stream.on("error", () => process.exit(1));
    }
}

exitWithEngine();
hideResponses();
checkFreeSpace(root);
