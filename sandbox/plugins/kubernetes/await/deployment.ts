import type { Severity } from "../../shared/host";
import type { Properties } from "../../shared/values";
import { annotationOf, generationOf, isOwnedBy, listAt, nameOf, numberAt, stringAt } from "../objects";
import { podVerdict } from "./pod";
import type { Snapshot, Verdict } from "./related";

const revisionKey = "deployment.kubernetes.io/revision";

interface Status {
    readonly holds: boolean;
    readonly error: string | undefined;
}

function conditionStatus(deployment: Properties, type: string, reason?: string): Status {
    const condition = listAt(deployment, "status", "conditions").find((each) => stringAt(each, "type") === type);
    const isTrue = stringAt(condition, "status") === "True";
    const message = `[${stringAt(condition, "reason")}] ${stringAt(condition, "message")}`;
    return {
        holds: isTrue && (reason === undefined || stringAt(condition, "reason") === reason),
        error: condition === undefined || isTrue ? undefined : message,
    };
}

function claimsOf({ object, related }: Snapshot): readonly Properties[] {
    const names = listAt(object, "spec", "template", "spec", "volumes").map((volume) =>
        stringAt(volume, "persistentVolumeClaim", "claimName"),
    );
    return related("claims").filter((claim) => names.includes(nameOf(claim)));
}

interface ReplicaSetStatus {
    readonly ready: boolean;
    readonly count: number;
    readonly wanted: number;
    readonly replicaSet: Properties | undefined;
}

function replicaSetStatus({ object, related }: Snapshot, revision: string): ReplicaSetStatus {
    const replicaSet = related("replicaSets").find(
        (each) => isOwnedBy(each, object) && annotationOf(each, revisionKey) === revision,
    );
    const wanted = numberAt(replicaSet, "spec", "replicas") ?? 1;
    const count = numberAt(replicaSet, "status", "readyReplicas");
    const isComplete = count === undefined ? wanted === 0 : count >= wanted;
    return { ready: replicaSet !== undefined && isComplete, count: count ?? 0, wanted, replicaSet };
}

/**
 * A Deployment is ready when it is available, the ReplicaSet of its current revision has all Pods ready (from the
 * second revision on: and the Deployment says so), and the claims that its Pods use are bound.
 */
export function deploymentVerdict(snapshot: Snapshot): Verdict {
    const { object, related } = snapshot;
    const revision = annotationOf(object, revisionKey) || "0";
    const isObserved = numberAt(object, "status", "observedGeneration") === generationOf(object);
    const available = conditionStatus(object, "Available");
    const progressing = conditionStatus(object, "Progressing", "NewReplicaSetAvailable");
    const replicas = replicaSetStatus(snapshot, revision);
    const unbound = claimsOf(snapshot).filter((claim) => stringAt(claim, "status", "phase") !== "Bound");
    const isFirst = revision === "1";
    const ready =
        isObserved &&
        revision !== "0" &&
        available.holds &&
        replicas.ready &&
        (isFirst || progressing.holds) &&
        unbound.length === 0;

    const conditions = [progressing.error, available.error].flatMap((error) => (error === undefined ? [] : [error]));
    const pods = related("pods")
        .filter((pod) => isOwnedBy(pod, replicas.replicaSet))
        .flatMap((pod) => podVerdict(pod).reasons);
    const reasons = [...conditions];
    if (unbound.length > 0) {
        reasons.push(`Failed to bind PersistentVolumeClaim(s): ${JSON.stringify(unbound.map(nameOf).join(","))}`);
    }
    if (!available.holds) {
        reasons.push("Minimum number of live Pods was not attained");
    } else if (!isFirst && !progressing.holds) {
        reasons.push("Minimum number of Pods to consider the application live was not attained");
    } else if (!replicas.ready) {
        reasons.push(
            isFirst
                ? "Minimum number of Pods to consider the application live was not attained"
                : "Attempted to roll forward to new ReplicaSet, but minimum number of Pods did not become live",
        );
    }
    reasons.push(...pods);
    const messages: (readonly [Severity, string])[] = conditions.map((error) => ["warning", error]);
    messages.push(...pods.map((error): readonly [Severity, string] => ["warning", error]));
    messages.push([
        "info",
        ready
            ? "✅ Deployment initialization complete"
            : `Waiting for app ReplicaSet to be available (${replicas.count}/${replicas.wanted} Pods available)`,
    ]);
    return { ready, reasons, messages };
}
