import type { NodeSettings } from "../../config/nodes";
import { type CronJob, type Metadata, skipReconcile, type Workload } from "../backups/objects";

const wave = "argocd.argoproj.io/sync-wave";

/** Namespace of the databases, which stop after everything that may write to them. */
const databases = "database";

/** An Application, and the objects that Argo CD keeps for it. */
export interface PoweredApplication {
    readonly metadata: Pick<Metadata, "name" | "annotations">;
    readonly spec: { readonly destination: { readonly namespace?: string } };
    readonly status?: {
        readonly operationState?: { readonly phase?: string };
        readonly resources?: readonly { readonly kind: string; readonly namespace?: string; readonly name: string }[];
    };
}

/** Services that stop at the same time. */
export interface PowerStep {
    /** For the user: "tier 3". */
    readonly name: string;
    /** Applications that Argo CD has to skip. */
    readonly applications: readonly string[];
    readonly workloads: readonly { readonly workload: Workload; readonly replicas: number }[];
    readonly cronJobs: readonly CronJob[];
}

/** Objects of the home that a plan is made from. */
export interface PoweredHome {
    readonly applications: readonly PoweredApplication[];
    /** Deployments and StatefulSets. */
    readonly workloads: readonly Workload[];
    readonly cronJobs: readonly CronJob[];
}

interface Named {
    readonly kind?: string;
    readonly metadata: Pick<Metadata, "name" | "namespace">;
}

const objectOf = (kind: string, { metadata }: Named) => `${kind.toLowerCase()}/${metadata.name}`;

const lineOf = (action: string, kind: string, object: Named, ...more: (string | number)[]) =>
    [action, object.metadata.namespace, objectOf(kind, object), ...more].join(" ");

/**
 * Steps in which a home stops: tiers 3 to 1, and databases after all others.
 *
 * @param record lines of an earlier, interrupted run: what they stopped is still part of its step
 */
export function planPowerOff(
    { applications, workloads, cronJobs }: PoweredHome,
    record: readonly string[],
): PowerStep[] {
    const isRecorded = (line: string) => record.includes(line);
    const replicasBefore = (workload: Workload) => {
        const start = lineOf("scale", workload.kind, workload, "");
        const recorded = record.find((line) => line.startsWith(start));
        return workload.spec.replicas === 0 && recorded ? Number(recorded.slice(start.length)) : workload.spec.replicas;
    };
    const step = (name: string, members: readonly PoweredApplication[]): PowerStep => {
        const owned = new Set(
            members.flatMap(({ status }) =>
                (status?.resources ?? []).map((each) => `${each.kind} ${each.namespace} ${each.name}`),
            ),
        );
        const isOwned = (kind: string, { metadata }: Named) =>
            owned.has(`${kind} ${metadata.namespace} ${metadata.name}`);
        return {
            name,
            applications: members
                .filter(
                    ({ metadata }) =>
                        metadata.annotations?.[skipReconcile] !== "true" || isRecorded(reconcileLine(metadata.name)),
                )
                .map(({ metadata }) => metadata.name),
            workloads: workloads
                .filter((each) => isOwned(each.kind, each))
                .map((workload) => ({ workload, replicas: replicasBefore(workload) ?? 1 }))
                .filter(({ replicas }) => replicas > 0),
            cronJobs: cronJobs.filter(
                (each) =>
                    isOwned("CronJob", each) &&
                    (each.spec.suspend !== true || isRecorded(lineOf("resume", "CronJob", each))),
            ),
        };
    };
    const isDatabase = ({ spec }: PoweredApplication) => spec.destination.namespace === databases;
    const inTier = (tier: string) =>
        applications.filter((each) => each.metadata.annotations?.[wave] === tier && !isDatabase(each));
    return [
        ...["3", "2", "1"].map((tier) => step(`tier ${tier}`, inTier(tier))),
        step("databases", applications.filter(isDatabase)),
    ].filter((each) => each.applications.length + each.workloads.length + each.cronJobs.length > 0);
}

const reconcileLine = (name: string) => `reconcile argocd application.argoproj.io/${name}`;

/** Lines of the record by which hack/shutdown/power-on.sh starts the steps again, in the opposite order. */
export function recordLines(steps: readonly PowerStep[]): string[] {
    return steps
        .toReversed()
        .flatMap(({ applications, workloads, cronJobs }) => [
            ...workloads.map(({ workload, replicas }) => lineOf("scale", workload.kind, workload, replicas)),
            ...cronJobs.map((each) => lineOf("resume", "CronJob", each)),
            ...applications.map(reconcileLine),
            ...workloads.map(({ workload }) => lineOf("wait", workload.kind, workload)),
        ]);
}

/**
 * Groups of nodes in the order in which they are shut down: agents, servers, and last the nodes that others need: those
 * with data disks, which they export, and those with an address that others go through.
 *
 * @param needed addresses of the NFS server and of the jump host
 */
export function nodeGroups(nodes: readonly NodeSettings[], needed: readonly (string | undefined)[]): NodeSettings[][] {
    const rank = ({ address, role, disks }: NodeSettings) =>
        disks.length > 0 || needed.includes(address) ? 2 : role === "server" ? 1 : 0;
    return [0, 1, 2].map((each) => nodes.filter((node) => rank(node) === each)).filter(({ length }) => length > 0);
}
