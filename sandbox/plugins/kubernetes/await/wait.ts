import type { Properties } from "../../shared/values";
import { isNotFound } from "../api";
import type { Cluster } from "../cluster";
import type { ObjectEvent } from "../informers";
import { generationOf, listAt, nameOf, namespaceOf, stringAt } from "../objects";
import type { Condition } from "./conditions";
import type { Display } from "./display";
import { PartialError } from "./errors";

/** What every wait needs. */
export interface Waiting {
    readonly cluster: Cluster;
    readonly display: Display;
    /** Seconds before the wait gives up. */
    readonly timeout: number;
    /** Ends the wait early. */
    readonly signal: AbortSignal;
}

/** Why a wait ended before its condition held. */
export type Ending = "timeout" | "cancelled";

/**
 * Listens until `done` is called, the time is over, or the user cancels.
 *
 * @param listen starts listening; gets `done` and returns what stops it
 * @returns undefined when `done` was called
 * @throws whatever `done` is called with
 */
export async function listenUntil(
    { timeout, signal }: Pick<Waiting, "timeout" | "signal">,
    listen: (done: (error?: unknown) => void) => () => void,
): Promise<Ending | undefined> {
    let stop = () => {};
    try {
        return await new Promise<Ending | undefined>((resolve, reject) => {
            const timer = setTimeout(() => resolve("timeout"), Math.min(timeout * 1000, 2 ** 31 - 1));
            const cancel = () => resolve("cancelled");
            signal.addEventListener("abort", cancel);
            const stopListening = listen((error) => (error === undefined ? resolve(undefined) : reject(error)));
            stop = () => {
                clearTimeout(timer);
                signal.removeEventListener("abort", cancel);
                stopListening();
            };
            if (signal.aborted) {
                cancel();
            }
        });
    } finally {
        stop();
    }
}

/** Shows the warnings that Kubernetes reports about an object, until the returned function is called. */
export function showWarnings({ cluster, display }: Pick<Waiting, "cluster" | "display">, object: Properties) {
    const path = `/api/v1/namespaces/${namespaceOf(object) || "default"}/events`;
    const uid = stringAt(object, "metadata", "uid");
    return cluster.informers.subscribe(path, ({ object: event }) => {
        if (stringAt(event, "involvedObject", "uid") === uid && stringAt(event, "type") === "Warning") {
            display.status("warning", `${stringAt(event, "reason")}: ${stringAt(event, "message")}`);
        }
    });
}

/** Whether an event is older than what is known of the object. */
export function isStale(event: Properties, known: Properties): boolean {
    const version = (object: Properties) => Number(stringAt(object, "metadata", "resourceVersion"));
    return generationOf(event) < generationOf(known) || version(event) < version(known);
}

/**
 * Waits until a condition holds for the object.
 *
 * @returns the object as it is then
 * @throws PartialError when that does not happen in time
 */
export async function waitFor(waiting: Waiting, object: Properties, condition: Condition): Promise<Properties> {
    const { cluster, display } = waiting;
    const { path } = await cluster.resourcesOf(object);
    let live = object;
    const stopWarnings = showWarnings(waiting, object);
    let ending: Ending | undefined;
    try {
        ending = await listenUntil(waiting, (done) =>
            cluster.informers.subscribe(path, ({ type, object: seen }: ObjectEvent) => {
                if (nameOf(seen) !== nameOf(object) || type === "DELETED" || isStale(seen, live)) {
                    return;
                }
                live = seen;
                try {
                    if (condition(live, display)) {
                        done();
                    }
                } catch {
                    // What cannot be evaluated yet may be later; if not, it is reported at the end.
                }
            }),
        );
    } finally {
        stopWarnings();
    }
    if (ending === undefined) {
        return live;
    }
    try {
        if (condition(live, display)) {
            return live;
        }
    } catch (error) {
        throw new PartialError(error instanceof Error ? error.message : String(error), live);
    }
    throw new PartialError(ending === "timeout" ? "timed out waiting for the condition" : "context canceled", live);
}

/**
 * Waits until an object is gone.
 *
 * @throws PartialError when that does not happen in time
 */
export async function waitUntilGone(waiting: Waiting, object: Properties): Promise<void> {
    const { cluster, display } = waiting;
    const client = await cluster.resourcesOf(object);
    const uid = stringAt(object, "metadata", "uid");
    let live = object;
    const isGone = async () => {
        try {
            live = await client.get(nameOf(object));
            return uid !== "" && stringAt(live, "metadata", "uid") !== uid;
        } catch (error) {
            return isNotFound(error);
        }
    };
    if (await isGone()) {
        return;
    }
    const stopWarnings = showWarnings(waiting, object);
    let ending: Ending | undefined;
    try {
        ending = await listenUntil(waiting, (done) => {
            const stop = cluster.informers.subscribe(client.path, ({ type, object: seen }) => {
                if (nameOf(seen) === nameOf(object)) {
                    live = seen;
                    if (type === "DELETED") {
                        done();
                    }
                }
            });
            // It may have gone between the first look and the watch.
            void isGone().then((gone) => (gone ? done() : undefined));
            return stop;
        });
    } finally {
        stopWarnings();
    }
    if (ending === undefined || (await isGone())) {
        return;
    }
    const finalizers = listAt(live, "metadata", "finalizers").join(", ");
    display.log("warning", `finalizers might be preventing deletion (${finalizers})`);
    throw new PartialError(ending === "timeout" ? "timed out waiting for the condition" : "context canceled", live);
}
