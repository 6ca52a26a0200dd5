import { mergePatch } from "../shared/property-diff";
import { InitializationFailed, type UpdateRequest } from "../shared/provider";
import { containsUnknowns, type Properties } from "../shared/values";
import { isForbidden } from "./api";
import { explainConflict, isForced, relinquish, takeOver } from "./apply";
import { Display } from "./await/display";
import { PartialError } from "./await/errors";
import { awaitReady } from "./await/ready";
import { checkpoint, initialApiVersionOf, parseCheckpoint, prune, toObject } from "./checkpoint";
import type { ResourceClient } from "./cluster";
import { NoMatchError } from "./discovery";
import { keepIgnored } from "./ignore-changes";
import { isPatchResource } from "./kinds";
import { fieldManagerOf, timeoutOf } from "./metadata";
import { normalizeInputs } from "./normalize";
import { gvkOf, idOf, isCustomResourceDefinition, nameOf, setMetadata, stringAt } from "./objects";
import { reachable, type Session, Unreachable } from "./session";

interface Change {
    readonly request: UpdateRequest;
    readonly inputs: Properties;
    readonly oldInputs: Properties;
    readonly fieldManager: string;
}

async function send(session: Session, client: ResourceClient, live: Properties, change: Change): Promise<Properties> {
    const { request, inputs, fieldManager } = change;
    const { serverSideApply, patchForce } = session.configuration;
    const dryRun = request.preview ? "All" : undefined;
    if (isCustomResourceDefinition(inputs)) {
        setMetadata(inputs, "resourceVersion", stringAt(live, "metadata", "resourceVersion"));
        return client.replace(nameOf(inputs), inputs, { fieldManager, dryRun });
    }
    if (!serverSideApply) {
        return client.merge(nameOf(live), mergePatch(change.oldInputs, inputs), { fieldManager, dryRun });
    }
    const isOwn = !isPatchResource(request.type, gvkOf(inputs).kind) && !request.preview;
    const current = isOwn ? await takeOver(client, live, fieldManager) : live;
    keepIgnored(inputs, current, fieldManager, request.ignoreChanges);
    const force = String(isForced(inputs, current, patchForce, request.preview));
    try {
        return await client.apply(nameOf(live), inputs, { fieldManager, force, dryRun });
    } catch (error) {
        throw explainConflict(error, fieldManager);
    }
}

function messageOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

/** Updates an object and waits until it is ready; in a preview, lets the server say what would come of it. */
export async function update(session: Session, request: UpdateRequest): Promise<Properties> {
    const { urn, preview, news, olds } = request;
    const { configuration } = session;
    const inputs = normalizeInputs(toObject(news));
    if (preview) {
        const { cluster } = session;
        const isShown =
            !(cluster instanceof Unreachable) &&
            !containsUnknowns(inputs) &&
            (await cluster.discovery.has(gvkOf(inputs)));
        if (!isShown) {
            return news;
        }
    }
    const cluster = reachable(session);
    const { inputs: recorded, live: oldLive } = parseCheckpoint(olds);
    const oldInputs = prune(oldLive, normalizeInputs(recorded));
    const oldManager = fieldManagerOf(configuration.serverSideApply, olds, recorded);
    const fieldManager = fieldManagerOf(configuration.serverSideApply, olds, inputs);
    const bookkeeping = { initialApiVersion: initialApiVersionOf(olds, recorded), fieldManager };
    const display = new Display(session.host, urn);

    const apply = async () => {
        const client = await cluster.resourcesOf(inputs);
        const before = await client.get(nameOf(oldLive));
        const after = await send(session, client, before, { request, inputs, oldInputs, fieldManager });
        if (preview) {
            return after;
        }
        const timeout = timeoutOf(request.timeout, inputs);
        return awaitReady({ cluster, display, timeout, signal: session.signal }, inputs, after, before);
    };

    let live: Properties;
    try {
        live = await apply();
    } catch (error) {
        if (preview && isForbidden(error)) {
            return news;
        }
        if (error instanceof NoMatchError) {
            throw new Error(
                `update of resource "${urn}" failed because the Kubernetes API server reported that the apiVersion ` +
                    "for this resource does not exist. Verify that any required CRDs have been created: " +
                    error.message,
            );
        }
        let present: Properties;
        try {
            present = await (await cluster.resourcesOf(oldLive)).get(nameOf(oldLive));
        } catch (readError) {
            throw new Error(
                `update of resource "${urn}" failed: ${messageOf(error)}\n` +
                    `unable to get cluster state: ${messageOf(readError)}`,
            );
        }
        const message =
            `the Kubernetes API server reported that "${idOf(present)}" failed to fully initialize or become live: ` +
            messageOf(error);
        const reasons = error instanceof PartialError ? error.reasons : [];
        const state = checkpoint(inputs, present, news, bookkeeping);
        throw new InitializationFailed(idOf(present), message, state, [message, ...reasons]);
    }
    if (configuration.serverSideApply && !preview && oldManager !== fieldManager) {
        await relinquish(await cluster.resourcesOf(live), live, oldManager);
    }
    return checkpoint(inputs, live, news, bookkeeping);
}
