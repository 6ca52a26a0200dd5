import * as grpc from "@grpc/grpc-js";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";
import { EngineHost, type Host } from "./host";
import {
    type CheckRequest,
    type DiffRequest,
    type DiffResponse,
    InitializationFailed,
    type PropertyDiff,
    type Provider,
    type ResourceRequest,
} from "./provider";
import type { Properties } from "./values";
import { decode, encode } from "./wire";

const limits = { "grpc.max_receive_message_length": 400 * 1024 * 1024, "grpc.max_send_message_length": -1 };

function fromStruct(struct: Struct | undefined): Properties {
    return struct ? decode(struct.toJavaScript() as Properties) : {};
}

function toStruct(properties: Properties): Struct {
    return Struct.fromJavaScript(encode(properties) as { [key: string]: JavaScriptValue });
}

function resource(request: { getUrn(): string; getType(): string; getName(): string }): ResourceRequest {
    const urn = request.getUrn();
    const [, , types = "", ...name] = urn.split("::");
    return {
        urn,
        type: request.getType() || types.slice(types.lastIndexOf("$") + 1),
        name: request.getName() || name.join("::"),
    };
}

function checkRequest(request: messages.CheckRequest): CheckRequest {
    const autonaming = request.getAutonaming();
    const olds = request.getOlds();
    return {
        ...resource(request),
        olds: olds && olds.getFieldsMap().getLength() > 0 ? fromStruct(olds) : undefined,
        news: fromStruct(request.getNews()),
        randomSeed: request.getRandomseed_asU8(),
        autonaming: autonaming && {
            disabled: autonaming.getMode() === messages.CheckRequest.AutonamingOptions.Mode.DISABLE,
            proposedName: autonaming.getProposedName(),
        },
    };
}

function diffRequest(request: messages.DiffRequest): DiffRequest {
    return {
        ...resource(request),
        id: request.getId(),
        olds: fromStruct(request.getOlds()),
        oldInputs: fromStruct(request.getOldInputs()),
        news: fromStruct(request.getNews()),
        ignoreChanges: request.getIgnorechangesList(),
    };
}

function diffKind({ kind, replace }: PropertyDiff): messages.PropertyDiff.Kind {
    const kinds = messages.PropertyDiff.Kind;
    switch (kind) {
        case "add":
            return replace ? kinds.ADD_REPLACE : kinds.ADD;
        case "delete":
            return replace ? kinds.DELETE_REPLACE : kinds.DELETE;
        case "update":
            return replace ? kinds.UPDATE_REPLACE : kinds.UPDATE;
    }
}

function diffResponse(diff: DiffResponse): messages.DiffResponse {
    const response = new messages.DiffResponse();
    const { DIFF_SOME, DIFF_NONE } = messages.DiffResponse.DiffChanges;
    response.setChanges(diff.changes ? DIFF_SOME : DIFF_NONE);
    response.setReplacesList([...(diff.replaces ?? [])]);
    response.setDiffsList([...(diff.diffs ?? [])]);
    response.setDeletebeforereplace(diff.deleteBeforeReplace ?? false);
    if (diff.detailed) {
        response.setHasdetaileddiff(true);
        for (const [path, each] of diff.detailed) {
            const property = new messages.PropertyDiff();
            property.setKind(diffKind(each));
            property.setInputdiff(each.inputDiff);
            response.getDetaileddiffMap().set(path, property);
        }
    }
    return response;
}

function checkResponse(inputs: Properties, failures: readonly { property: string; reason: string }[] = []) {
    const response = new messages.CheckResponse();
    response.setInputs(toStruct(inputs));
    response.setFailuresList(
        failures.map(({ property, reason }) => {
            const failure = new messages.CheckFailure();
            failure.setProperty(property);
            failure.setReason(reason);
            return failure;
        }),
    );
    return response;
}

/** The error that the engine is told. A resource that exists but is not ready travels in the error's details. */
function rpcError(error: unknown): Partial<grpc.StatusObject> {
    const message = error instanceof Error ? error.message : String(error);
    const metadata = new grpc.Metadata();
    if (error instanceof InitializationFailed) {
        const detail = new messages.ErrorResourceInitFailed();
        detail.setId(error.id);
        detail.setProperties(toStruct(error.properties));
        detail.setReasonsList([...error.reasons]);
        if (error.inputs) {
            detail.setInputs(toStruct(error.inputs));
        }
        const any = new Any();
        any.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
        const status = new Status();
        status.setCode(grpc.status.UNKNOWN);
        status.setMessage(message);
        status.addDetails(any);
        metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
    }
    return { code: grpc.status.UNKNOWN, details: message, metadata };
}

type Handler<Request, Response> = (
    call: grpc.ServerUnaryCall<Request, Response>,
    callback: grpc.sendUnaryData<Response>,
) => void;

function handle<Request, Response>(body: (request: Request) => Promise<Response>): Handler<Request, Response> {
    return (call, callback) => {
        body(call.request).then(
            (response) => callback(null, response),
            (error: unknown) => callback(rpcError(error)),
        );
    };
}

function service(provider: Provider, host: EngineHost): grpc.UntypedServiceImplementation {
    return {
        getPluginInfo: handle(async (_: Empty) => {
            const info = new PluginInfo();
            info.setVersion(provider.version);
            return info;
        }),
        getSchema: handle(async (_: messages.GetSchemaRequest) => {
            const response = new messages.GetSchemaResponse();
            response.setSchema("{}");
            return response;
        }),
        attach: handle(async (request: { getAddress(): string }) => {
            host.connect(request.getAddress());
            return new Empty();
        }),
        checkConfig: handle(async (request: messages.CheckRequest) => {
            const news = fromStruct(request.getNews());
            const response = await provider.checkConfig?.(checkRequest(request));
            return checkResponse(response?.inputs ?? news, response?.failures);
        }),
        diffConfig: handle(async (request: messages.DiffRequest) =>
            diffResponse((await provider.diffConfig?.(diffRequest(request))) ?? { changes: false }),
        ),
        configure: handle(async (request: messages.ConfigureRequest) => {
            await provider.configure?.(new Map(request.getVariablesMap().toArray()));
            const response = new messages.ConfigureResponse();
            response.setAcceptsecrets(true);
            response.setSupportspreview(true);
            response.setSupportsAutonamingConfiguration(true);
            return response;
        }),
        check: handle(async (request: messages.CheckRequest) => {
            const { inputs, failures } = await provider.check(checkRequest(request));
            return checkResponse(inputs, failures);
        }),
        diff: handle(async (request: messages.DiffRequest) => diffResponse(await provider.diff(diffRequest(request)))),
        create: handle(async (request: messages.CreateRequest) => {
            const { id, properties } = await provider.create({
                ...resource(request),
                properties: fromStruct(request.getProperties()),
                timeout: request.getTimeout(),
                preview: request.getPreview(),
            });
            const response = new messages.CreateResponse();
            response.setId(id);
            response.setProperties(toStruct(properties));
            return response;
        }),
        read: handle(async (request: messages.ReadRequest) => {
            const { id, properties, inputs } = await provider.read({
                ...resource(request),
                id: request.getId(),
                properties: fromStruct(request.getProperties()),
                inputs: fromStruct(request.getInputs()),
            });
            const response = new messages.ReadResponse();
            response.setId(id);
            if (id !== "") {
                response.setProperties(toStruct(properties));
                response.setInputs(toStruct(inputs));
            }
            return response;
        }),
        update: handle(async (request: messages.UpdateRequest) => {
            const properties = await provider.update({
                ...resource(request),
                id: request.getId(),
                olds: fromStruct(request.getOlds()),
                oldInputs: fromStruct(request.getOldInputs()),
                news: fromStruct(request.getNews()),
                timeout: request.getTimeout(),
                preview: request.getPreview(),
                ignoreChanges: request.getIgnorechangesList(),
            });
            const response = new messages.UpdateResponse();
            response.setProperties(toStruct(properties));
            return response;
        }),
        delete: handle(async (request: messages.DeleteRequest) => {
            await provider.delete({
                ...resource(request),
                id: request.getId(),
                properties: fromStruct(request.getProperties()),
                oldInputs: fromStruct(request.getOldInputs()),
                timeout: request.getTimeout(),
            });
            return new Empty();
        }),
        invoke: handle(async (request: messages.InvokeRequest) => {
            if (!provider.invoke) {
                throw new Error(`unknown function ${request.getTok()}`);
            }
            const response = new messages.InvokeResponse();
            response.setReturn(toStruct(await provider.invoke(request.getTok(), fromStruct(request.getArgs()))));
            return response;
        }),
        cancel: handle(async (_: Empty) => {
            provider.cancel?.();
            return new Empty();
        }),
    };
}

/** Milliseconds between two looks at the engine, as in Pulumi's own plugins. */
const engineInterval = 5 * 60_000;

/** Ends the plugin some time after its engine is gone; what it was about goes on until then. */
function endAfterEngine(address: string): void {
    const client = new grpc.Client(address, grpc.credentials.createInsecure());
    setInterval(() => {
        client.waitForReady(Date.now() + 10_000, (error) => {
            if (error) {
                process.exit(1);
            }
        });
    }, engineInterval).unref();
}

/**
 * Runs a plugin: serves the engine on a free port of the loopback interface, and prints the port, which is how the
 * engine finds it. Previews, timeouts, detailed differences and provider configuration are not in the provider server
 * of Pulumi's SDK, therefore this one speaks the protocol itself.
 *
 * @param create makes the provider; the host is the engine's display
 */
export function serve(create: (host: Host) => Provider): void {
    const engine = process.argv[2];
    const host = new EngineHost(engine);
    if (engine) {
        endAfterEngine(engine);
    }
    process.once("SIGTERM", () => process.exit(143));
    const server = new grpc.Server(limits);
    server.addService(ResourceProviderService, service(create(host), host));
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
        if (error) {
            process.stderr.write(`cannot listen on the loopback interface: ${error.message}\n`);
            process.exit(1);
        }
        process.stdout.write(`${port}\n`);
    });
}
