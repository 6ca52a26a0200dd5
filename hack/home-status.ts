import {
    type ApplicationStatus,
    reasons,
    revisionOf,
    type Warning,
    warningLines,
} from "../components/application-status";
import { failedContainerLines, type PodContainers } from "../components/failed-containers";
import { isStopped, type JournalObject, parseJournal } from "./backups/journal";
import type { CronJob, Pod } from "./backups/objects";
import { type BackupRow, backupRows, emptiedTarget, worstBackup } from "./backups/results";
import { type OrderObject, pendingOrders } from "./certificate-orders";
import type { Claim, Volume } from "./placement/home";
import { largestLoss } from "./placement/restore";

/** Objects of the cluster that status reads, with the fields that it uses. */
export interface HomeObjects {
    readonly nodes: readonly {
        readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
        readonly spec?: { readonly unschedulable?: boolean };
        readonly status?: {
            readonly conditions?: readonly {
                readonly type: string;
                readonly status: string;
                readonly message?: string;
                readonly lastTransitionTime: string;
            }[];
            readonly nodeInfo?: { readonly architecture: string; readonly kubeletVersion: string };
        };
    }[];
    /** Undefined while the cluster has no definition of Applications: Argo CD is not installed yet. */
    readonly applications: readonly ApplicationObject[] | undefined;
    /** Argo CD's events about its Applications; Kubernetes keeps them for an hour. */
    readonly events: readonly {
        readonly involvedObject: { readonly name: string };
        readonly message?: string;
        readonly lastTimestamp?: string | null;
    }[];
    /** Events of all namespaces, for {@link warningLines}. */
    readonly warnings: readonly Warning[];
    /** Pods of all namespaces. */
    readonly pods: readonly PodContainers[];
    /** Argo CD's own Deployments and StatefulSets. */
    readonly argocd: readonly {
        readonly kind: string;
        readonly metadata: { readonly name: string };
        readonly spec?: { readonly replicas?: number };
        readonly status?: { readonly readyReplicas?: number };
    }[];
    /** Claims of all namespaces, and the volumes behind them. */
    readonly claims: readonly Claim[];
    readonly volumes: readonly Volume[];
    /** Certificates, and what cert-manager orders for them. */
    readonly orders: readonly OrderObject[];
    /** Backup objects: CronJobs, their last pods, and the journals of restores. */
    readonly backups: {
        readonly cronJobs: readonly CronJob[];
        readonly pods: readonly Pod[];
        readonly journals: readonly JournalObject[];
    };
}

interface ApplicationObject {
    readonly metadata: {
        readonly name: string;
        readonly creationTimestamp: string;
        readonly annotations?: Readonly<Record<string, string>>;
    };
    readonly spec?: { readonly destination?: { readonly namespace?: string } };
    readonly status?: ApplicationStatus & { readonly health?: { readonly lastTransitionTime?: string } };
}

/** One Application, for the table and for JSON. */
export interface ApplicationRow {
    /** "1", "2" or "3"; undefined for the root Application. */
    readonly tier: string | undefined;
    readonly name: string;
    readonly sync: string;
    readonly health: string;
    /** The commit that it was last compared to, by its full hash. */
    readonly revision: string | undefined;
    /** When it was created, as Kubernetes writes times. */
    readonly created: string;
    /**
     * Time since which it is not Synced, or not Healthy; undefined while it is both, or when that was over an hour ago.
     */
    readonly since: string | undefined;
    /** Reasons why it is not Synced and Healthy, the most specific first. */
    readonly reasons: readonly string[];
}

/** One node. */
export interface NodeRow {
    readonly name: string;
    readonly role: "server" | "agent";
    /** "Ready" or "NotReady", with what else keeps pods off it: "Ready,DiskPressure,SchedulingDisabled". */
    readonly status: string;
    readonly architecture: string;
    readonly version: string;
}

/** The state of a home. */
export interface HomeStatus {
    readonly nodes: readonly NodeRow[];
    readonly applications: readonly ApplicationRow[];
    /** Copies and drills of every claim that is backed up. */
    readonly backups: readonly BackupRow[];
    /** Certificates that are not ready or not renewed, with the reason, a line each. */
    readonly certificates: readonly string[];
    /** The node whose loss costs most data, in a sentence; undefined when every volume can be mounted elsewhere. */
    readonly largestLoss: string | undefined;
    /**
     * True if every node is Ready without pressure, every Application Synced and Healthy, and no restore incomplete.
     */
    readonly ready: boolean;
    /** Most urgent problem, with the command that shows more; undefined without problems. */
    readonly first: { readonly what: string; readonly command: string } | undefined;
}

const tierAnnotation = "argocd.argoproj.io/sync-wave";

/** Conditions under which a kubelet evicts pods and starts no others. */
const pressures = ["DiskPressure", "MemoryPressure", "PIDPressure"];

const pressuresOf = ({ status }: HomeObjects["nodes"][number]) =>
    (status?.conditions ?? []).filter((each) => pressures.includes(each.type) && each.status === "True");

function nodeRow(node: HomeObjects["nodes"][number]): NodeRow {
    const { metadata, spec, status } = node;
    const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
    return {
        name: metadata.name,
        role: "node-role.kubernetes.io/control-plane" in (metadata.labels ?? {}) ? "server" : "agent",
        status: [
            ready ? "Ready" : "NotReady",
            ...(ready ? pressuresOf(node).map(({ type }) => type) : []),
            ...(spec?.unschedulable ? ["SchedulingDisabled"] : []),
        ].join(","),
        architecture: status?.nodeInfo?.architecture ?? "",
        version: status?.nodeInfo?.kubeletVersion ?? "",
    };
}

function applicationRow(
    { metadata, spec, status }: ApplicationObject,
    { events, warnings, pods }: Pick<HomeObjects, "events" | "warnings" | "pods">,
): ApplicationRow {
    const sync = status?.sync?.status ?? "Unknown";
    const health = status?.health?.status ?? "Unknown";
    const becameOutOfSync = events
        .filter((each) => each.involvedObject.name === metadata.name && each.message?.endsWith(`-> ${sync}`))
        .map(({ lastTimestamp }) => lastTimestamp ?? "")
        .sort()
        .at(-1);
    const ready = sync === "Synced" && health === "Healthy";
    const namespace = spec?.destination?.namespace ?? metadata.name;
    return {
        tier: metadata.annotations?.[tierAnnotation],
        name: metadata.name,
        sync,
        health,
        revision: revisionOf(status),
        created: metadata.creationTimestamp,
        since: ready ? undefined : sync === "Synced" ? status?.health?.lastTransitionTime : becameOutOfSync,
        reasons: ready
            ? []
            : reasons(status, [...failedContainerLines(pods, namespace), ...warningLines(warnings, namespace)]),
    };
}

/** A restore that was killed keeps its service stopped, and Argo CD from starting it. */
function halfDone({ journals }: HomeObjects["backups"]): HomeStatus["first"] {
    const found = journals.map(parseJournal).find((each) => each && isStopped(each));
    return (
        found && {
            what: `The restore of ${found.chart} is incomplete, and its service is stopped; \`--undo\` puts the old data back.`,
            command: `hack/restore ${found.chart}`,
        }
    );
}

/** The first problem: dependencies come before their dependents. */
function lookFirst(
    { nodes: live, argocd, applications: known, backups }: HomeObjects,
    nodes: readonly NodeRow[],
    applications: readonly ApplicationRow[],
): HomeStatus["first"] {
    const node = nodes.find(({ status }) => status.startsWith("NotReady"));
    if (node) {
        return { what: `Node ${node.name} is not Ready.`, command: `kubectl describe node ${node.name}` };
    }
    const pressed = live.find((each) => pressuresOf(each).length > 0);
    if (pressed) {
        const { name } = pressed.metadata;
        const [{ type, message } = { type: "", message: "" }] = pressuresOf(pressed);
        return {
            what: `Node ${name} has ${type} (${message}): it evicts pods and starts no others.`,
            command: `kubectl describe node ${name}`,
        };
    }
    if (known === undefined) {
        return { what: "Argo CD is not installed: the program has not reached this step.", command: "npx pulumi up" };
    }
    const part = argocd.find(({ spec, status }) => (status?.readyReplicas ?? 0) < (spec?.replicas ?? 1));
    if (part) {
        const name = `${part.kind.toLowerCase()}/${part.metadata.name}`;
        return { what: `Argo CD's ${name} is not ready.`, command: `kubectl -n argocd describe ${name}` };
    }
    if (applications.length === 0) {
        return { what: "No Application exists: the program has not reached this step.", command: "npx pulumi up" };
    }
    const restore = halfDone(backups);
    if (restore) {
        return restore;
    }
    const worst = applications.find(({ sync, health }) => sync !== "Synced" || health !== "Healthy");
    if (worst) {
        const { name, tier, sync, health } = worst;
        return {
            what: `Application ${name}${tier ? ` (tier ${tier})` : ""} is ${sync} and ${health}: ${worst.reasons[0] ?? "no reason is given"}`,
            command: `kubectl -n argocd describe application ${name}`,
        };
    }
    return undefined;
}

/** The state of a home, tier by tier. */
export function homeStatus(objects: HomeObjects): HomeStatus {
    const order = ({ tier, name }: ApplicationRow) => `${tier ?? "9"} ${name}`;
    const nodes = objects.nodes.map(nodeRow);
    const applications = (objects.applications ?? [])
        .map((each) => applicationRow(each, objects))
        .sort((a, b) => order(a).localeCompare(order(b), "en"));
    const backups = backupRows(objects.backups.cronJobs, objects.backups.pods);
    const notReady = lookFirst(objects, nodes, applications);
    const certificates = pendingOrders(objects.orders);
    // A service keeps running without its copy, and with its old certificate.
    const first =
        notReady ??
        emptiedTarget(objects.backups.cronJobs, objects.backups.pods, Date.now()) ??
        worstBackup(backups, Date.now()) ??
        (certificates.length > 0
            ? { what: "A certificate is not ready, or not renewed: the lines above.", command: "hack/names" }
            : undefined);
    const { claims, volumes } = objects;
    return {
        ...{ nodes, applications, backups, certificates },
        largestLoss: largestLoss({ nodes: objects.nodes, claims, volumes, backups }),
        ...{ ready: notReady === undefined, first },
    };
}
