import type { Properties } from "../../shared/values";
import type { Cluster } from "../cluster";
import { isAnnotated } from "../metadata";
import { apiVersionOf, kindOf } from "../objects";
import { builtInAwaiters } from "./built-in";
import { waitForCondition } from "./conditions";
import type { Display } from "./display";
import { type Waiting, waitFor } from "./wait";

function awaiterOf(object: Properties) {
    return builtInAwaiters.get(`${apiVersionOf(object)}/${kindOf(object)}`);
}

/**
 * Waits until an object is ready: as pulumi.com/waitFor says, else as its kind needs.
 *
 * @param inputs what was asked for
 * @param current the object after it was written
 * @param before the object before an update; undefined on a create
 * @returns the object as it is then
 * @throws PartialError when it does not become ready in time
 */
export async function awaitReady(
    waiting: Waiting,
    inputs: Properties,
    current: Properties,
    before: Properties | undefined,
): Promise<Properties> {
    const { display } = waiting;
    if (isAnnotated(inputs, "pulumi.com/skipAwait")) {
        display.status("info", "Skipping await logic");
        return current;
    }
    const condition = waitForCondition(current);
    const awaiter = awaiterOf(current);
    const live = condition
        ? await waitFor(waiting, current, condition)
        : awaiter?.wait
          ? await awaiter.wait(waiting, current, before)
          : current;
    if (live !== current) {
        display.clear();
    }
    return live;
}

/**
 * Checks at once whether an object is ready.
 *
 * @throws PartialError when it is not
 */
export async function checkReady(
    context: { readonly cluster: Cluster; readonly display: Display },
    inputs: Properties,
    live: Properties,
): Promise<void> {
    if (!isAnnotated(inputs, "pulumi.com/skipAwait")) {
        await awaiterOf(live)?.check?.(context, live);
    }
}

const deletionMayBeSkipped = new Set([
    "v1/Namespace",
    "v1/Pod",
    "v1/ReplicationController",
    "apps/v1/DaemonSet",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "batch/v1/Job",
]);

/** Whether nobody waits for the object's end: some kinds take skipAwait to mean this too. */
export function ignoresDeletion(inputs: Properties): boolean {
    const kind = `${apiVersionOf(inputs)}/${kindOf(inputs)}`;
    return isAnnotated(inputs, "pulumi.com/skipAwait") && deletionMayBeSkipped.has(kind);
}
