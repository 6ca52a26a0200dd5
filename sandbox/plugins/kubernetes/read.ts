import { InitializationFailed, type ReadRequest, type ReadResponse } from "../shared/provider";
import { isObject, type Properties } from "../shared/values";
import { isNotFound } from "./api";
import { Display } from "./await/display";
import { PartialError } from "./await/errors";
import { checkReady } from "./await/ready";
import { annotateSecrets, checkpoint, initialApiVersionOf, parseCheckpoint, prune, toObject } from "./checkpoint";
import { NoMatchError } from "./discovery";
import { gvkOfToken, isKnownApiVersion } from "./kinds";
import { fieldManagerOf } from "./metadata";
import { normalizeInputs } from "./normalize";
import { apiVersionOf, formatApiVersion, kindOf, nameOf, namespaceOf, parseId, setMetadata } from "./objects";
import { type Session, Unreachable } from "./session";

const gone: ReadResponse = { id: "", properties: {}, inputs: {} };

const importedAnnotations = ["deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"];

function readUnreachable(session: Session, { reason }: Unreachable, request: ReadRequest): ReadResponse {
    const { host, configuration } = session;
    const unreachable = `configured Kubernetes cluster is unreachable`;
    host.log("warning", request.urn, `${unreachable}: ${reason}`);
    if (configuration.deleteUnreachable) {
        const rest = "the `deleteUnreachable` option is enabled. Deleting the unreachable resource from Pulumi state";
        host.log("info", request.urn, `${unreachable} and ${rest}`);
        return gone;
    }
    if (configuration.skipUpdateUnreachable) {
        const rest =
            "the `skipUnreachable` option is enabled. Returned data could not reflect the actual cluster configuration.";
        host.log("info", request.urn, `${unreachable} and ${rest}`);
        return { id: request.id, properties: request.properties, inputs: request.inputs };
    }
    throw new Error(
        "failed to read resource state due to unreachable cluster. If the cluster was deleted, you can remove this " +
            "resource from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE " +
            'environment variable set to "true"',
    );
}

/** Inputs that would make an object that Pulumi has not seen yet. */
function importedInputs(live: Properties, shape: Properties): Properties {
    const inputs = prune(live, shape);
    if (isKnownApiVersion(apiVersionOf(live))) {
        const { status: _, ...rest } = live;
        Object.assign(inputs, structuredClone(rest));
    }
    for (const key of ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"]) {
        setMetadata(inputs, key, undefined);
    }
    const metadata = inputs["metadata"];
    const annotations = isObject(metadata) ? metadata["annotations"] : undefined;
    if (isObject(annotations)) {
        for (const key of importedAnnotations) {
            delete annotations[key];
        }
    }
    return inputs;
}

/** Reads an object's live state, for a refresh or an import. An object that is gone has no id. */
export async function read(session: Session, request: ReadRequest): Promise<ReadResponse> {
    const { cluster } = session;
    if (cluster instanceof Unreachable) {
        return readUnreachable(session, cluster, request);
    }
    const { namespace, name } = parseId(request.id);
    if (name === "") {
        throw new Error(
            `failed to read resource because of a failure to parse resource name from request ID: ${request.id}`,
        );
    }
    const oldInputs = normalizeInputs(toObject(request.inputs));
    const { live: oldLive } = parseCheckpoint(request.properties);
    let isImport = false;
    if (kindOf(oldInputs) === "") {
        isImport = kindOf(oldLive) === "";
        const gvk = gvkOfToken(request.type);
        const apiVersion = isImport ? formatApiVersion(gvk.group, gvk.version) : apiVersionOf(oldLive);
        Object.assign(oldInputs, { apiVersion, kind: isImport ? gvk.kind : kindOf(oldLive) });
        setMetadata(oldInputs, "name", nameOf(oldInputs) || name);
        if (namespaceOf(oldInputs) === "" && namespace !== "") {
            setMetadata(oldInputs, "namespace", namespace);
        }
    }
    const bookkeeping = {
        initialApiVersion: initialApiVersionOf(request.properties, oldInputs),
        fieldManager: fieldManagerOf(session.configuration.serverSideApply, request.properties, oldInputs),
    };
    let live: Properties;
    let failure: PartialError | undefined;
    try {
        const client = await cluster.resourcesOf(oldInputs);
        live = await client.get(name);
        if (!isImport) {
            const display = new Display(session.host, request.urn);
            await checkReady({ cluster, display }, oldInputs, live);
        }
    } catch (error) {
        if (error instanceof NoMatchError || isNotFound(error)) {
            return gone;
        }
        if (!(error instanceof PartialError)) {
            throw error;
        }
        live = error.object;
        failure = error;
    }
    const inputs = isImport ? importedInputs(live, oldInputs) : prune(live, oldInputs);
    const properties = checkpoint(inputs, live, request.inputs, bookkeeping);
    annotateSecrets(inputs, request.inputs);
    if (failure) {
        const reasons = [failure.message, ...failure.reasons];
        throw new InitializationFailed(request.id, failure.message, properties, reasons, inputs);
    }
    return { id: request.id, properties, inputs };
}
