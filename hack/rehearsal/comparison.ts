import { reasons, revisionOf, warningLines } from "../../components/application-status";
import { type Application, type TierNumber, tiers } from "../../components/applications";
import { type Answer, isBad } from "../placement/answer";
import type { Claim, ManagedObject, Observation, RehearsedApplication, Workload } from "./observation";
import { keyOf, nameOf, type Untried, untriedParts } from "./probes";

/** Result for one tier. */
export interface TierResult {
    readonly tier: TierNumber;
    /** Applications that the commit synced. */
    readonly synced: number;
    /** From the start of their first sync until each was synced and its health had settled; undefined if none was. */
    readonly seconds?: number;
}

/** An Application that would not be Synced and Healthy on the commit. */
export interface LateApplication {
    readonly name: string;
    readonly tier: TierNumber;
    readonly sync: string;
    readonly health: string;
    readonly reasons: readonly string[];
}

/** A change that the API server refuses. */
export interface Refusal {
    readonly application: string;
    /** Kind, namespace and name. */
    readonly object: string;
    readonly message: string;
}

/** Effects of a branch on a sandbox that runs the previous commit. */
export interface Rehearsal {
    /** Full hashes of the commits. */
    readonly base: string;
    readonly head: string;
    /**
     * True if every Application becomes Synced and Healthy, no service loses a claim, every probe could pass, and the
     * home's nodes have room.
     */
    readonly good: boolean;
    /** Seconds of `pulumi up` on the branch, through the tiers. */
    readonly seconds: number;
    readonly tiers: readonly TierResult[];
    readonly late: readonly LateApplication[];
    readonly refused: readonly Refusal[];
    /** `namespace/name` of workloads whose pods are replaced. */
    readonly restarts: readonly string[];
    /** Kind, namespace and name of objects that are deleted. */
    readonly pruned: readonly string[];
    /** `namespace/name` of claims that are deleted, with their volumes. */
    readonly lostClaims: readonly string[];
    /** `namespace/name` of claims that remain, but that no pod mounts anymore. */
    readonly leftClaims: readonly string[];
    /** Parts that need a real kubelet. */
    readonly untried: readonly Untried[];
    /** Forecast on the home's own nodes, if the home was asked and pods of the branch need other nodes than before. */
    readonly home?: Answer;
    /** End of Pulumi's output, where it failed for another reason than a late Application. */
    readonly program?: string;
}

const objectName = ({ kind, namespace, name }: ManagedObject) => `${kind} ${namespace ? `${namespace}/` : ""}${name}`;

const isReady = ({ metadata, status }: RehearsedApplication, revision: string) =>
    metadata.deletionTimestamp === undefined &&
    status?.sync?.status === "Synced" &&
    status.health?.status === "Healthy" &&
    revisionOf(status) === revision;

/** Refusals in the last sync of an Application, one for each object. */
function refusalsOf({ metadata, status }: RehearsedApplication): Refusal[] {
    return (status?.operationState?.syncResult?.resources ?? [])
        .filter((each) => each.status === "SyncFailed")
        .map((each) => ({ application: metadata.name, object: objectName(each), message: each.message ?? "" }));
}

function lateApplications(
    declared: readonly Application[],
    { applications, events }: Observation,
    head: string,
): LateApplication[] {
    return declared.flatMap(({ name, tier, namespace }) => {
        const found = applications.find(({ metadata }) => metadata.name === name);
        if (found && isReady(found, head)) {
            return [];
        }
        const { sync, health } = found?.status ?? {};
        const why = found
            ? reasons(found.status, warningLines(events, namespace))
            : ["it does not exist: an earlier tier is not ready"];
        const behind = found && revisionOf(found.status) !== head ? ["it is not on the branch's commit"] : [];
        return [
            {
                name,
                tier,
                sync: sync?.status ?? "Unknown",
                health: health?.status ?? "Unknown",
                reasons: [...behind, ...why],
            },
        ];
    });
}

/** Times of Argo CD are in whole seconds. */
function tierResults(
    declared: readonly Application[],
    { applications }: Observation,
    started: number,
    late: readonly LateApplication[],
): TierResult[] {
    const second = Math.floor(started / 1000) * 1000;
    return tiers.flatMap((tier) => {
        const names = declared.filter((each) => each.tier === tier).map(({ name }) => name);
        if (names.length === 0) {
            return [];
        }
        const times = applications
            .filter(({ metadata }) => names.includes(metadata.name))
            .flatMap(({ status }) => {
                const { startedAt = "", finishedAt = "" } = status?.operationState ?? {};
                const from = Date.parse(startedAt);
                return from >= second
                    ? [{ from, to: [finishedAt, status?.health?.lastTransitionTime ?? ""].map(Date.parse) }]
                    : [];
            });
        const ends = times.flatMap(({ to }) => to.filter((each) => each >= second));
        const whole = times.length > 0 && ends.length > 0 && !late.some((each) => each.tier === tier);
        const seconds = (Math.max(...ends) - Math.min(...times.map(({ from }) => from))) / 1000;
        return [{ tier, synced: times.length, ...(whole && { seconds }) }];
    });
}

/** Workloads of both sides whose pods are replaced, because the workload is new or its template changed. */
function restartsOf(before: readonly Workload[], after: readonly Workload[]): string[] {
    const later = new Map(after.map((each) => [keyOf(each), each]));
    return before
        .filter((each) => {
            const now = later.get(keyOf(each));
            return (
                now !== undefined &&
                each.spec.replicas !== 0 &&
                (now.metadata.uid !== each.metadata.uid ||
                    JSON.stringify(now.spec.template) !== JSON.stringify(each.spec.template))
            );
        })
        .map(nameOf);
}

const managed = ({ status }: RehearsedApplication): readonly ManagedObject[] => status?.resources ?? [];

const identity = ({ group = "", kind, namespace = "", name }: ManagedObject) =>
    [group, kind, namespace, name].join("\n");

/** Objects that Argo CD deletes: no longer part of any chart, by the status of the Applications. */
function prunedObjects(before: Observation, after: Observation): ManagedObject[] {
    const kept = new Set(
        after.applications
            .flatMap((each) => managed(each).filter(({ requiresPruning }) => !requiresPruning))
            .map(identity),
    );
    return before.applications.flatMap((each) => managed(each).filter((object) => !kept.has(identity(object))));
}

const mountedClaims = (workloads: readonly Workload[]) =>
    new Set(
        workloads.flatMap(({ metadata, spec }) =>
            (spec.template.spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) =>
                claim ? [`${metadata.namespace}/${claim.claimName}`] : [],
            ),
        ),
    );

/** Reports whether a claim stays when its chart no longer has it: https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/ */
const isKept = ({ metadata }: Claim) =>
    metadata.annotations?.["argocd.argoproj.io/sync-options"]?.split(",").includes("Prune=false") ?? false;

const isClaim =
    ({ metadata }: Claim) =>
    ({ kind, namespace, name }: ManagedObject) =>
        kind === "PersistentVolumeClaim" && namespace === metadata.namespace && name === metadata.name;

const claimName = ({ metadata }: Claim) => `${metadata.namespace}/${metadata.name}`;

/** Arguments of {@link compare}. */
export interface Comparison {
    readonly base: string;
    readonly head: string;
    /** Applications of the branch. */
    readonly declared: readonly Application[];
    readonly before: Observation;
    readonly after: Observation;
    /** Time at which `pulumi up` of the branch started, in milliseconds, and its end. */
    readonly started: number;
    readonly seconds: number;
    /** Forecast on the home's own nodes. */
    readonly home?: Answer | undefined;
    /** End of Pulumi's output, if it failed. */
    readonly failure?: string;
}

/** Compares a sandbox before and after a branch. */
export function compare(comparison: Comparison): Rehearsal {
    const { base, head, declared, before, after, started, seconds, home, failure } = comparison;
    const late = lateApplications(declared, after, head);
    const refused = after.applications
        .filter(({ metadata }) => late.some(({ name }) => name === metadata.name))
        .flatMap(refusalsOf);
    const pruned = prunedObjects(before, after);
    const remaining = new Set(after.claims.map(({ metadata }) => metadata.uid));
    const lostClaims = before.claims
        .filter((claim) => !remaining.has(claim.metadata.uid) || (!isKept(claim) && pruned.some(isClaim(claim))))
        .map(claimName);
    const [mountedBefore, mountedAfter] = [mountedClaims(before.workloads), mountedClaims(after.workloads)];
    const leftClaims = before.claims
        .map(claimName)
        .filter((name) => mountedBefore.has(name) && !mountedAfter.has(name) && !lostClaims.includes(name));
    // A removed service leaves its claims on purpose; one that remains would start with an empty volume.
    const isForgotten = (claim: string) => declared.some(({ namespace }) => claim.startsWith(`${namespace}/`));
    const former = new Map(before.workloads.map((each) => [keyOf(each), each]));
    const untried = after.workloads.flatMap((each) => untriedParts(former.get(keyOf(each)), each) ?? []);
    const program = late.length === 0 ? failure : undefined;
    return {
        base,
        head,
        good:
            late.length + lostClaims.length === 0 &&
            !leftClaims.some(isForgotten) &&
            untried.every(({ neverPass }) => neverPass.length === 0) &&
            !(home && isBad(home)) &&
            program === undefined,
        seconds,
        tiers: tierResults(declared, after, started, late),
        late,
        refused,
        restarts: restartsOf(before.workloads, after.workloads).sort(),
        // A claim that is kept stays in the cluster after it has left its chart.
        pruned: pruned
            .filter((each) => !after.claims.some((claim) => isKept(claim) && isClaim(claim)(each)))
            .map(objectName)
            .sort(),
        lostClaims: lostClaims.sort(),
        leftClaims: leftClaims.sort(),
        untried,
        ...(home && { home }),
        ...(program !== undefined && { program }),
    };
}
