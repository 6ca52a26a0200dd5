import type { Severity } from "../../shared/host";
import { generationOf, isOwnedBy, numberAt, stringAt } from "../objects";
import { jobState } from "./job";
import { podVerdict } from "./pod";
import type { Snapshot, Verdict } from "./related";

function podReasons({ object, related }: Snapshot): readonly string[] {
    return related("pods")
        .filter((pod) => isOwnedBy(pod, object))
        .flatMap((pod) => podVerdict(pod).reasons);
}

function warnings(reasons: readonly string[]): (readonly [Severity, string])[] {
    return reasons.map((reason) => ["warning", reason]);
}

/** A StatefulSet is ready when all replicas are, and are of the revision that it rolls out. */
export function statefulSetVerdict(snapshot: Snapshot): Verdict {
    const { object } = snapshot;
    const generation = generationOf(object);
    const status = (key: string) => numberAt(object, "status", key) ?? 0;
    const isObserved = (numberAt(object, "status", "observedGeneration") ?? -1) >= generation;
    const wanted = numberAt(object, "spec", "replicas") ?? 0;
    const current = stringAt(object, "status", "currentRevision");
    const next = stringAt(object, "status", "updateRevision");
    const byHand = generation > 1 && stringAt(object, "spec", "updateStrategy", "type") === "OnDelete";
    const counts = ["replicas", "readyReplicas", ...(byHand ? [] : ["currentReplicas"])];
    const replicasReady = isObserved && counts.every((key) => status(key) === wanted);
    const revisionReady = isObserved && (byHand || (current !== "" && current === next));
    const count = revisionReady
        ? status("readyReplicas")
        : Math.min(status("readyReplicas"), status("updatedReplicas"));

    const pods = podReasons(snapshot);
    const reasons: string[] = [];
    if (!replicasReady) {
        reasons.push(`${count} out of ${wanted} replicas succeeded readiness checks`);
    }
    if (!revisionReady) {
        reasons.push(
            `StatefulSet controller failed to advance from revision ${JSON.stringify(current)} to revision ` +
                JSON.stringify(next),
        );
    }
    const ready = replicasReady && revisionReady;
    const progress = `(${count}/${wanted} Pods ready)`;
    const step = ready
        ? "✅ StatefulSet initialization complete"
        : generation <= 1
          ? `[1/2] Waiting for StatefulSet to create Pods ${progress}`
          : replicasReady
            ? "[2/3] Waiting for StatefulSet to update .status.currentRevision"
            : `[1/3] Waiting for StatefulSet update to roll out ${progress}`;
    return { ready, reasons: [...reasons, ...pods], messages: [...warnings(pods), ["info", step]] };
}

/** A DaemonSet is ready when every node that should has an available Pod of the current generation. */
export function daemonSetVerdict(snapshot: Snapshot): Verdict {
    const { object } = snapshot;
    const status = (key: string) => numberAt(object, "status", key) ?? 0;
    const wanted = numberAt(object, "status", "desiredNumberScheduled");
    const observed = numberAt(object, "status", "observedGeneration");
    const generation = generationOf(object);
    const pods = podReasons(snapshot);
    const waits = (message: string): Verdict => ({
        ready: false,
        reasons: [],
        messages: [...warnings(pods), ["info", message]],
    });
    if (observed !== generation) {
        return waits(
            `DaemonSet generation is ${generation}, but latest observed generation is ${observed ?? "missing"}`,
        );
    }
    if (wanted === undefined) {
        return waits("Missing .status.desiredNumberScheduled");
    }
    const counts = [
        ["currentNumberScheduled", "Current"],
        ["updatedNumberScheduled", "Updated"],
        ["numberAvailable", "Available"],
        ["numberReady", "Ready"],
    ] as const;
    for (const [key, word] of counts) {
        if (status(key) < wanted) {
            return waits(`${word}: ${status(key)}/${wanted}`);
        }
    }
    const message = `✅ All replicas scheduled as expected. Replicas: ${wanted}`;
    return { ready: true, reasons: [], messages: [["info", message]] };
}

/** A Job is ready when it has completed, and failed when it gives up. */
export function jobVerdict(snapshot: Snapshot): Verdict {
    const { ready, steps, failure } = jobState(snapshot.object);
    const pods = podReasons(snapshot);
    // A running Job always has containers that are not ready.
    const shown = pods.filter((reason) => !reason.includes("containers with unready status"));
    return {
        ready,
        failed: failure !== "",
        reasons: [...(failure === "" ? [] : [failure]), ...pods],
        messages: [...warnings(shown), ...steps.map((step): readonly [Severity, string] => ["info", step])],
    };
}
