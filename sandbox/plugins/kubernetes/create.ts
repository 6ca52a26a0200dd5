import { setTimeout as delay } from "node:timers/promises";
import { uniqueName } from "../shared/names";
import { type CreateRequest, type CreateResponse, InitializationFailed } from "../shared/provider";
import { containsUnknowns, type Properties } from "../shared/values";
import { ApiError, isAlreadyExists, isForbidden, isInvalid, isNotFound } from "./api";
import { explainConflict, isForced } from "./apply";
import { Display } from "./await/display";
import { PartialError } from "./await/errors";
import { awaitReady } from "./await/ready";
import { checkpoint, toObject } from "./checkpoint";
import type { Cluster } from "./cluster";
import { NoMatchError } from "./discovery";
import { isPatchResource } from "./kinds";
import { fieldManagerOf, timeoutOf } from "./metadata";
import {
    apiVersionOf,
    formatApiVersion,
    gvkOf,
    idOf,
    isCustomResourceDefinition,
    nameOf,
    setMetadata,
    stringAt,
} from "./objects";
import { reachable, type Session, Unreachable } from "./session";

const mostRetries = 5;

/** The preview cannot be made because the namespace is created by the same update. */
class NamespaceMissing extends Error {}

function isMissingNamespace(error: unknown): boolean {
    return isNotFound(error) && stringAt((error as ApiError).status, "details", "kind") === "namespaces";
}

function isDryRunRefused(error: unknown): boolean {
    return (
        error instanceof ApiError &&
        error.code === 400 &&
        (/^the dryRun (alpha|beta) feature is disabled$/.test(error.message) ||
            error.message.includes("does not support dry run"))
    );
}

interface Creation {
    readonly request: CreateRequest;
    readonly inputs: Properties;
    readonly fieldManager: string;
    readonly display: Display;
}

async function send(session: Session, cluster: Cluster, creation: Creation): Promise<Properties> {
    const { request, inputs, fieldManager } = creation;
    const { serverSideApply, upsert, patchForce } = session.configuration;
    const client = await cluster.resourcesOf(inputs);
    const dryRun = request.preview ? "All" : undefined;
    if (!serverSideApply || !(upsert || isPatchResource(request.type, gvkOf(inputs).kind))) {
        return client.create(inputs, { fieldManager: "pulumi-kubernetes", dryRun });
    }
    const force = String(isForced(inputs, undefined, patchForce, request.preview));
    const query = { fieldManager, force, fieldValidation: "Warn", dryRun };
    try {
        return await client.apply(nameOf(inputs), inputs, query);
    } catch (error) {
        if (request.preview && isInvalid(error) && String(error).includes("field is immutable")) {
            // The object is going to be replaced, which no dry run can show: try one of another name.
            const name = uniqueName(nameOf(inputs));
            creation.display.log(
                "info",
                `Preview creation failed due to immutable fields; retrying with name "${name}"`,
            );
            setMetadata(inputs, "name", name);
            return await client.apply(name, inputs, query);
        }
        throw explainConflict(error, fieldManager);
    }
}

const alreadyExists = `

The resource already exists in the cluster. This can happen when:

  - Renaming a Pulumi resource: use an alias to preserve the identity,
    or use deleteBeforeReplace if the resource needs replacement.
  - Managing an existing resource: use a Patch resource (e.g. NamespacePatch)
    to manage specific fields without owning the resource lifecycle.
  - Adopting a resource into Pulumi: use \`pulumi import\`. Note that
    protected resources (e.g. kube-system) cannot be deleted on destroy.
  - Intentional upsert: set upsertExistingObjects on the provider to allow
    server-side apply to update existing objects on create.`;

/** Sends an object; when its namespace or kind is not there yet, tries again for a minute. */
async function sendPatiently(session: Session, cluster: Cluster, creation: Creation): Promise<Properties> {
    for (let attempt = 0; ; attempt++) {
        try {
            const object = await send(session, cluster, creation);
            creation.display.clear();
            return object;
        } catch (error) {
            if (creation.request.preview && isMissingNamespace(error)) {
                throw new NamespaceMissing(`namespace does not exist for "${nameOf(creation.inputs)}"`);
            }
            const message = error instanceof Error ? error.message : String(error);
            creation.display.status("info", `Retry #${attempt}; creation failed: ${message}`);
            const isEarly = isNotFound(error) || error instanceof NoMatchError;
            if (!isEarly || attempt === mostRetries) {
                throw isAlreadyExists(error)
                    ? Object.assign(new Error(message + alreadyExists), { cause: error })
                    : error;
            }
            await delay(1000 * 2 ** attempt, undefined, { signal: session.signal });
        }
    }
}

function previewIsImpossible(error: unknown, serverSideApply: boolean): boolean {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return (
        cause instanceof NamespaceMissing ||
        isForbidden(cause) ||
        isDryRunRefused(cause) ||
        (serverSideApply && isAlreadyExists(cause))
    );
}

/** Creates an object and waits until it is ready; in a preview, lets the server say what would come of it. */
export async function create(session: Session, request: CreateRequest): Promise<CreateResponse> {
    const { urn, properties, preview, type } = request;
    const { configuration } = session;
    const inputs = toObject(properties);
    const asGiven = { id: "", properties };
    if (preview) {
        if (
            session.cluster instanceof Unreachable ||
            containsUnknowns(inputs) ||
            isPatchResource(type, gvkOf(inputs).kind) ||
            !configuration.serverSideApply ||
            !(await session.cluster.discovery.has(gvkOf(inputs)))
        ) {
            return asGiven;
        }
    }
    const cluster = reachable(session);
    const display = new Display(session.host, urn);
    const fieldManager = fieldManagerOf(configuration.serverSideApply, {}, inputs);
    const bookkeeping = { initialApiVersion: apiVersionOf(inputs), fieldManager };
    let created: Properties;
    try {
        created = await sendPatiently(session, cluster, { request, inputs, fieldManager, display });
    } catch (error) {
        if (preview && previewIsImpossible(error, configuration.serverSideApply)) {
            return asGiven;
        }
        const message = error instanceof Error ? error.message : String(error);
        if (error instanceof NoMatchError) {
            const { group, version, kind } = gvkOf(inputs);
            throw new Error(
                `creation of resource "${urn}" with kind ${formatApiVersion(group, version)}/${kind} failed because ` +
                    "the Kubernetes API server reported that the apiVersion for this resource does not exist. " +
                    `Verify that any required CRDs have been created: ${message}`,
            );
        }
        throw new Error(`resource "${urn}" was not successfully created by the Kubernetes API server: ${message}`);
    }
    if (preview) {
        const { status: _, ...shown } = created;
        return { id: "", properties: checkpoint(inputs, shown, properties, bookkeeping) };
    }
    try {
        const timeout = timeoutOf(request.timeout, inputs);
        const waiting = { cluster, display, timeout, signal: session.signal };
        const live = await awaitReady(waiting, inputs, created, undefined);
        if (isCustomResourceDefinition(inputs)) {
            await cluster.discovery.load();
        }
        return { id: idOf(live), properties: checkpoint(inputs, live, properties, bookkeeping) };
    } catch (error) {
        const partial = error instanceof PartialError ? error : undefined;
        const live = partial?.object ?? created;
        const message =
            `resource "${urn}" was successfully created, but the Kubernetes API server reported that it failed to ` +
            `fully initialize or become live: ${error instanceof Error ? error.message : error}`;
        throw new InitializationFailed(idOf(live), message, checkpoint(inputs, live, properties, bookkeeping), [
            message,
            ...(partial?.reasons ?? []),
        ]);
    }
}
