import * as pulumi from "@pulumi/pulumi";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";
import { commandSchemas } from "../../../sandbox/plugins/command/inputs";
import { check } from "../../../sandbox/plugins/properties";
import { randomSchemas } from "../../../sandbox/plugins/random/provider";

// The SDK takes ten stack traces for each resource, and Jest looks up each line of them in a source map: half of the time.
const mapped = Error.prepareStackTrace;
Error.prepareStackTrace = (error, frames) =>
    mapped === undefined || frames[0]?.getFunctionName() === "debuggablePromise"
        ? [error, ...frames].join("\n    at ")
        : mapped(error, frames);

/** One resource as a component registered it. */
export interface Registered {
    readonly type: string;
    readonly name: string;
    readonly urn: string;
    /** Plain JSON, with secrets as in requests to the engine. */
    readonly inputs: Record<string, unknown>;
    /** URN of its parent. */
    readonly parent: string;
    /** URNs of everything it waits for. */
    readonly dependencies: readonly string[];
    /** Paths of the inputs of which a change is ignored. */
    readonly ignoreChanges: readonly string[];
    /** True if the cluster keeps the object when the resource is removed from the program. */
    readonly retainOnDelete: boolean;
    /** True if Pulumi refuses to delete the resource. */
    readonly protect: boolean;
    /** Names of the resources that existed when it was registered. */
    readonly after: readonly string[];
}

type Callback = (error: Error | null, response: unknown) => void;

/** Patched methods of the SDK's MockMonitor. */
interface Monitor {
    registerResource(request: RegisterResourceRequest, callback: Callback): unknown;
}

/** Outputs that resources have in addition to their inputs. */
const generated: Readonly<Record<string, (value: string) => object>> = {
    "random:index/randomPassword:RandomPassword": (result) => ({ result, bcryptHash: `hash of ${result}` }),
    "random:index/randomId:RandomId": (hex) => ({ hex }),
    "command:remote:Command": (stdout) => ({ stdout }),
};

const standIns: Readonly<Record<string, Parameters<typeof check>[0]>> = { ...commandSchemas, ...randomSchemas };

/** @throws Error when a stand-in of Pulumi's plugins rejects a resource of its package */
function checkByStandIn(request: RegisterResourceRequest): void {
    const type = request.getType();
    const inputs = request.getObject()?.toJavaScript() ?? {};
    if (/^(command|random):/.test(type)) {
        const schema = standIns[type];
        const failures = schema ? check(schema, inputs).failures : [{ property: "type", reason: "is unknown" }];
        for (const { property, reason } of failures ?? []) {
            throw new Error(`the stand-in refuses ${type} ${request.getName()}: ${property} ${reason}`);
        }
    }
}

/**
 * Replaces the engine by Pulumi's mocks, and records parents and dependencies, which they do not show.
 *
 * @returns the list that fills with registered resources; calls of functions are unexpected and throw
 */
export async function mockEngine(): Promise<Registered[]> {
    const registered: Registered[] = [];
    await pulumi.runtime.setMocks(
        {
            newResource: ({ type, name, inputs }) => ({
                id: name,
                state: { ...inputs, ...generated[type]?.(`generated-${name}`) },
            }),
            call: ({ token }) => {
                throw new Error(`unexpected call of ${token}`);
            },
        },
        "hearth",
        "test",
    );
    const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
    const register = monitor.registerResource.bind(monitor);
    monitor.registerResource = (request, callback) => {
        checkByStandIn(request);
        const after = registered.map(({ name }) => name);
        return register(request, (error, response) => {
            registered.push({
                type: request.getType(),
                name: request.getName(),
                urn: (response as { getUrn(): string }).getUrn(),
                inputs: request.getObject()?.toJavaScript() ?? {},
                parent: request.getParent(),
                dependencies: request.getDependenciesList(),
                ignoreChanges: request.getIgnorechangesList(),
                retainOnDelete: request.getRetainondelete() ?? false,
                protect: request.getProtect() ?? false,
                after,
            });
            callback(error, response);
        });
    };
    return registered;
}

/** The inputs of the registered resources of one type, by name. */
export function byType(registered: readonly Registered[], type: string): Record<string, Record<string, unknown>> {
    return Object.fromEntries(
        registered.filter((each) => each.type === type).map(({ name, inputs }) => [name, inputs]),
    );
}

/** Waits until all registrations are complete. */
export async function settled(): Promise<void> {
    await pulumi.runtime.disconnect();
}
