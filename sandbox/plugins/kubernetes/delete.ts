import { type DeleteRequest, InitializationFailed } from "../shared/provider";
import { ApiError, isInvalid, isNotFound } from "./api";
import { relinquish } from "./apply";
import { Display } from "./await/display";
import { PartialError } from "./await/errors";
import { ignoresDeletion } from "./await/ready";
import { waitUntilGone } from "./await/wait";
import { checkpoint, initialApiVersionOf, parseCheckpoint } from "./checkpoint";
import { NoMatchError } from "./discovery";
import { isPatchResource } from "./kinds";
import { deletionPropagation, fieldManagerOf, timeoutOf } from "./metadata";
import { idOf, kindOf, listAt, parseId, stringAt } from "./objects";
import { type Session, Unreachable } from "./session";

function deleteUnreachable({ host, configuration }: Session, { reason }: Unreachable, urn: string): void {
    const unreachable = "configured Kubernetes cluster is unreachable";
    host.log("warning", urn, `${unreachable}: ${reason}`);
    if (!configuration.deleteUnreachable) {
        throw new Error(
            `${unreachable}. If the cluster was deleted, you can remove this resource from Pulumi state by rerunning ` +
                'the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"',
        );
    }
    const rest = "the `deleteUnreachable` option is enabled. Deleting the unreachable resource from Pulumi state";
    host.log("info", urn, `${unreachable} and ${rest}`);
}

/** Deletes an object and waits until it is gone. */
export async function remove(session: Session, request: DeleteRequest): Promise<void> {
    const { cluster, configuration } = session;
    if (cluster instanceof Unreachable) {
        deleteUnreachable(session, cluster, request.urn);
        return;
    }
    const { inputs, live } = parseCheckpoint(request.properties);
    const { name } = parseId(request.id);
    const fieldManager = fieldManagerOf(configuration.serverSideApply, request.properties, inputs);
    try {
        const client = await cluster.resourcesOf(live);
        if (configuration.serverSideApply && isPatchResource(request.type, kindOf(inputs))) {
            await relinquish(client, live, fieldManager);
            return;
        }
        await client.delete(name, deletionPropagation(inputs));
        if (!ignoresDeletion(inputs)) {
            const display = new Display(session.host, request.urn);
            const timeout = timeoutOf(request.timeout, inputs);
            await waitUntilGone({ cluster, display, timeout, signal: session.signal }, live);
            display.clear();
        }
    } catch (error) {
        if (error instanceof NoMatchError || isNotFound(error)) {
            return;
        }
        if (error instanceof PartialError) {
            const initialApiVersion = initialApiVersionOf(request.properties, {});
            const state = checkpoint(live, error.object, request.properties, { initialApiVersion, fieldManager });
            const reasons = [error.message, ...error.reasons];
            throw new InitializationFailed(idOf(error.object), error.message, state, reasons);
        }
        if (error instanceof ApiError && isInvalid(error) && error.message.includes("Required value")) {
            const [cause] = listAt(error.status, "details", "causes");
            throw new Error(
                "this Patch resource is currently managing a required field, so it can't be deleted directly. Either " +
                    "set the `retainOnDelete` resource option, or transfer ownership of the field before deleting: " +
                    stringAt(cause, "field"),
            );
        }
        throw error;
    }
}
