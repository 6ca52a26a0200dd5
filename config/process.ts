/** Prepares the process that the program runs in: workarounds for Pulumi's SDK, and room for the state. */
import * as pulumi from "@pulumi/pulumi";
import { root } from "../lib/root";
import { checkFreeSpace } from "./backend";
import { areDebugMessagesPrinted } from "./debug-messages";

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

/** Part of the SDK's runtime/debuggable.js, which its types leave out. */
interface Debuggable {
    readonly debugPromiseLeaks: boolean;
    readonly debuggablePromise: (promise: Promise<unknown>, context?: unknown) => Promise<unknown>;
}

/**
 * Saves a third of the program's processor time. The SDK reads the stack of each promise that it makes, for a message about
 * promises that never end, which it prints with PULUMI_DEBUG_PROMISE_LEAKS alone; and source-map-support, which it installs,
 * looks for a source map of each frame, which neither this program nor its callers have.
 */
function saveStacks(): void {
    Reflect.deleteProperty(Error, "prepareStackTrace");
    const debuggable: Debuggable = require("@pulumi/pulumi/runtime/debuggable");
    const { debuggablePromise, debugPromiseLeaks } = debuggable;
    if (debugPromiseLeaks) {
        return;
    }
    const withoutStack: Debuggable["debuggablePromise"] = (promise, context) => {
        const { stackTraceLimit } = Error;
        Error.stackTraceLimit = 0;
        try {
            return debuggablePromise(promise, context);
        } finally {
            Error.stackTraceLimit = stackTraceLimit;
        }
    };
    Object.assign(debuggable, { debuggablePromise: withoutStack });
}

/**
 * Saves an eighth of the processor time of an `up` without changes. The SDK sends some five hundred debug messages, each once
 * the one before has been answered, and without `--debug` the engine has no use for them.
 */
function saveDebugMessages(): void {
    if (!areDebugMessagesPrinted()) {
        Object.assign(pulumi.log, { debug: () => Promise.resolve() });
    }
}

exitWithEngine();
saveStacks();
saveDebugMessages();
hideResponses();
checkFreeSpace(root);
