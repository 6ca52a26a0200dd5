import * as pulumi from "@pulumi/pulumi";

type Log = NonNullable<ReturnType<typeof pulumi.runtime.getEngine>>["log"];

/** The messages in which the SDK prints what a resource came back with: all of it, secrets in plain text. */
const answer = /^((?:RegisterResource|ReadResource|Invoke)\b.* RPC finished: [\s\S]*?)(resp: )[\s\S]*$/;

/**
 * With `pulumi up --debug`, the SDK writes each resource that was registered to the debug log, secrets included. From
 * here on the answers are left out, since such a log is what people attach to a bug report.
 */
export function keepAnswersOutOfDebugLog(): void {
    const engine = pulumi.runtime.getEngine();
    if (engine === undefined) {
        return; // Nobody listens: a unit test.
    }
    const log = engine.log.bind(engine) as (...args: Parameters<Log>) => ReturnType<Log>;
    engine.log = (...args: unknown[]) => {
        const [request, ...rest] = args as Parameters<Log>;
        request.setMessage(request.getMessage().replace(answer, "$1$2(left out)"));
        return log(request, ...rest);
    };
}
