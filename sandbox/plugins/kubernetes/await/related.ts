import type { Severity } from "../../shared/host";
import type { Properties } from "../../shared/values";
import type { Cluster } from "../cluster";
import type { ObjectEvent } from "../informers";
import { generationOf, listAt, nameOf, namespaceOf, stringAt } from "../objects";
import type { Display } from "./display";
import { PartialError } from "./errors";
import { listenUntil, showWarnings, type Waiting } from "./wait";

/** Collections beside the object's own, by the name that a {@link Snapshot} has for them. */
export type Collections = Readonly<Record<string, { readonly base: string; readonly resource: string }>>;

/** What is known of an object and what belongs to it. */
export interface Snapshot {
    readonly object: Properties;
    /** Objects of a related collection in the same namespace. */
    related(name: string): readonly Properties[];
    /** Whether related objects have been quiet for long enough. */
    readonly settled: boolean;
}

/** What a snapshot amounts to. */
export interface Verdict {
    readonly ready: boolean;
    /** Why it is not ready, for the error. */
    readonly reasons: readonly string[];
    /** What the user is shown meanwhile. */
    readonly messages: readonly (readonly [Severity, string])[];
    /** Whether it can never become ready. */
    readonly failed?: boolean;
}

/** How one kind becomes ready. */
export interface Awaiter {
    /** Waits after a create (before is undefined) or an update; see awaitReady. */
    wait?(waiting: Waiting, current: Properties, before: Properties | undefined): Promise<Properties>;
    /** Checks at once, on a refresh; see checkReady. */
    check?(context: { readonly cluster: Cluster; readonly display: Display }, live: Properties): Promise<void>;
}

/** A kind whose readiness follows from the object and what belongs to it. */
export interface ReadinessRule {
    readonly collections: Collections;
    evaluate(snapshot: Snapshot): Verdict;
    /** Collection whose changes have to die down, for ten seconds, before the object can be ready. */
    readonly settles?: string;
    /** Seconds after which a collection without any change counts as settled. */
    readonly quietAfter?: number;
    /** The error when time is over. */
    timeoutMessage?(name: string): string;
}

const settleSeconds = 10;

function pathOf(object: Properties, { base, resource }: { readonly base: string; readonly resource: string }): string {
    return `${base}/namespaces/${namespaceOf(object) || "default"}/${resource}`;
}

function show(display: Display, { messages }: Verdict): void {
    for (const [severity, message] of messages) {
        display.status(severity, message);
    }
}

/** Collects what informers tell, and judges it. */
class Observation {
    object: Properties;
    settled = false;
    /** The controller's view may be behind: nothing counts before the object has been seen as it is now. */
    seen = false;
    readonly #related = new Map<string, Map<string, Properties>>();
    #settleEvents = 0;

    constructor(object: Properties) {
        this.object = object;
    }

    takeObject({ type, object }: ObjectEvent): void {
        const isOurs = nameOf(object) === nameOf(this.object);
        if (isOurs && type !== "DELETED" && generationOf(object) >= generationOf(this.object)) {
            this.object = object;
            this.seen = true;
        }
    }

    takeRelated(name: string, { type, object }: ObjectEvent): void {
        const objects = this.#related.get(name) ?? new Map<string, Properties>();
        this.#related.set(name, objects);
        if (type === "DELETED") {
            objects.delete(nameOf(object));
        } else {
            objects.set(nameOf(object), object);
        }
    }

    /** A change that has to settle. */
    unsettle(): void {
        this.settled = false;
        this.#settleEvents++;
    }

    get isQuiet(): boolean {
        return this.#settleEvents === 0;
    }

    snapshot(): Snapshot {
        return {
            object: this.object,
            related: (name) => [...(this.#related.get(name)?.values() ?? [])],
            settled: this.settled,
        };
    }
}

async function waitForRule(rule: ReadinessRule, waiting: Waiting, current: Properties): Promise<Properties> {
    const { cluster, display } = waiting;
    const { path } = await cluster.resourcesOf(current);
    const observation = new Observation(current);
    const name = nameOf(current);
    const stopWarnings = showWarnings(waiting, current);
    try {
        const ending = await listenUntil(waiting, (done) => {
            const timers: NodeJS.Timeout[] = [];
            const judge = () => {
                if (!observation.seen) {
                    return;
                }
                const verdict = rule.evaluate(observation.snapshot());
                show(display, verdict);
                if (verdict.ready) {
                    done();
                } else if (verdict.failed) {
                    const message = `Resource '${name}' was created but failed to initialize`;
                    done(new PartialError(message, observation.object, verdict.reasons));
                }
            };
            const settleLater = (seconds: number, applies: () => boolean) => {
                timers.push(
                    setTimeout(() => {
                        observation.settled ||= applies();
                        judge();
                    }, seconds * 1000),
                );
            };
            if (rule.quietAfter !== undefined) {
                settleLater(rule.quietAfter, () => observation.isQuiet);
            }
            const stops = Object.entries(rule.collections).map(([key, collection]) =>
                cluster.informers.subscribe(pathOf(current, collection), (event) => {
                    observation.takeRelated(key, event);
                    if (rule.settles === key && (rule.quietAfter !== undefined || nameOf(event.object) === name)) {
                        observation.unsettle();
                        settleLater(settleSeconds, () => true);
                    }
                    judge();
                }),
            );
            stops.push(
                cluster.informers.subscribe(path, (event) => {
                    observation.takeObject(event);
                    judge();
                }),
            );
            return () => {
                timers.forEach(clearTimeout);
                for (const stop of stops) {
                    stop();
                }
            };
        });
        if (ending === undefined) {
            return observation.object;
        }
        const { reasons } = rule.evaluate(observation.snapshot());
        const timeout = rule.timeoutMessage?.(name) ?? `'${name}' timed out waiting to be Ready`;
        const message = ending === "timeout" ? timeout : `Resource operation was cancelled for "${name}"`;
        throw new PartialError(message, observation.object, reasons);
    } finally {
        stopWarnings();
    }
}

/** An awaiter for a kind whose readiness follows from the object and what belongs to it. */
export function byRule(rule: ReadinessRule): Awaiter {
    return {
        wait: (waiting, current) => waitForRule(rule, waiting, current),
        check: async ({ cluster, display }, live) => {
            const observation = new Observation(live);
            for (const [key, collection] of Object.entries(rule.collections)) {
                const list = await cluster.api.request({ method: "GET", path: pathOf(live, collection) });
                for (const object of listAt(list, "items") as readonly Properties[]) {
                    observation.takeRelated(key, { type: "ADDED", object });
                }
            }
            observation.settled = true;
            const verdict = rule.evaluate(observation.snapshot());
            show(display, verdict);
            if (!verdict.ready) {
                const message = `Resource '${nameOf(live)}' was created but failed to initialize`;
                throw new PartialError(message, live, verdict.reasons);
            }
        },
    };
}

/** A kind that is ready when a test on the object alone holds; nothing is checked on a refresh. */
export function byTest(
    seconds: number,
    test: (object: Properties, cluster: Cluster, before: Properties | undefined) => boolean | Promise<boolean>,
): Awaiter {
    return {
        wait: async (waiting, current, before) => {
            const { cluster } = waiting;
            const { path } = await cluster.resourcesOf(current);
            const version = (object: Properties) => Number(stringAt(object, "metadata", "resourceVersion"));
            let live = current;
            const stopWarnings = showWarnings(waiting, current);
            try {
                const ending = await listenUntil({ timeout: seconds, signal: waiting.signal }, (done) =>
                    cluster.informers.subscribe(path, ({ type, object }) => {
                        const isOurs = nameOf(object) === nameOf(current);
                        if (!isOurs || type === "DELETED" || version(object) < version(live)) {
                            return;
                        }
                        live = object;
                        void Promise.resolve(test(object, cluster, before)).then((ready) => {
                            if (ready) {
                                live = object;
                                done();
                            }
                        }, done);
                    }),
                );
                if (ending === undefined) {
                    return live;
                }
                const name = nameOf(current);
                const timeout = `Timeout occurred polling for '${name}'`;
                const message = ending === "timeout" ? timeout : `Resource operation was cancelled for '${name}'`;
                throw new PartialError(message, live);
            } finally {
                stopWarnings();
            }
        },
    };
}
