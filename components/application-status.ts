/** Parts of an Application's status that explain why it is not ready. https://argo-cd.readthedocs.io */
export interface ApplicationStatus {
    readonly sync?: { readonly status?: string; readonly revision?: string; readonly revisions?: readonly string[] };
    readonly health?: { readonly status?: string; readonly message?: string };
    readonly operationState?: {
        readonly phase?: string;
        readonly message?: string;
        readonly retryCount?: number;
        readonly syncResult?: { readonly revision?: string; readonly revisions?: readonly string[] };
    };
    readonly conditions?: readonly { readonly type: string; readonly message: string }[];
    readonly resources?: readonly {
        readonly kind: string;
        readonly name: string;
        readonly status?: string;
    }[];
}

/** The commit of this repository that an Application was last compared to; this repository is its first source. */
export function revisionOf({ sync }: ApplicationStatus = {}): string | undefined {
    return sync?.revisions?.[0] ?? sync?.revision;
}

/** Reports whether an Application is Synced and Healthy on a commit, given by its full hash. */
export function isReady(status: Pick<ApplicationStatus, "sync" | "health"> | undefined, revision: string): boolean {
    const { sync, health } = status ?? {};
    return (
        sync?.status === "Synced" && health?.status === "Healthy" && (sync.revisions?.[0] ?? sync.revision) === revision
    );
}

/** An Event, as the API server lists it. */
export interface Warning {
    readonly involvedObject: { readonly kind?: string; readonly name?: string; readonly namespace?: string };
    readonly type?: string;
    readonly reason?: string;
    readonly message?: string;
    /** Node of a kubelet's Event. */
    readonly source?: { readonly host?: string };
    readonly lastTimestamp?: Date | string | null;
    readonly eventTime?: Date | string | null;
    readonly metadata?: { readonly creationTimestamp?: Date | string | null };
}

/** Repeats of a kubelet's "Failed to pull image …" that do not name the image. */
const unnamedImage = /^Error: (ErrImagePull|ImagePullBackOff)$/;

/** Event without a reason: failed-containers.ts has it from the pod's status. */
const unexplainedRestart = /^Back-off restarting failed container/;

/** Local port of a failed connection, which differs at each attempt. */
const ownPort = /:\d+->/g;

/** An object, and the node of the kubelet that reports the Event. */
const objectOf = ({ involvedObject: { kind, name }, source }: Warning) =>
    `${kind} ${name}${source?.host ? ` on ${source.host}` : ""}`;

/** Selectors of the Events that {@link warningLines} takes. */
export const eventSelectors = ["type=Warning", "reason=Pulling", "reason=Pulled"] as const;

/** Milliseconds after which the pull of an image is reported. */
const longPull = 60_000;

const time = ({ lastTimestamp, eventTime, metadata }: Warning) =>
    new Date(lastTimestamp ?? eventTime ?? metadata?.creationTimestamp ?? 0).getTime();

/** Lines about images that nodes are still pulling, by the kubelet's latest Event about each. */
function pullLines(events: readonly Warning[], now: number): string[] {
    const latest = new Map<string, Warning & { readonly image: string }>();
    for (const event of events.toSorted((a, b) => time(a) - time(b))) {
        const image = /image "([^"]+)"/.exec(event.message ?? "")?.[1];
        if (image !== undefined) {
            latest.set(`${event.involvedObject.name} ${image}`, { ...event, image });
        }
    }
    return [...latest.values()]
        .filter((event) => event.reason === "Pulling" && now - time(event) >= longPull)
        .map((event) => {
            const minutes = Math.floor((now - time(event)) / 60_000);
            return `${objectOf(event)}: still pulling the image ${event.image}, for ${minutes} min`;
        });
}

/**
 * Lines about Events of one namespace: images that are being pulled, then Warnings, newest first. Those that differ
 * only in a pod's name are one line.
 */
export function warningLines(all: readonly Warning[], namespace: string, now = Date.now()): string[] {
    const events = all.filter(({ involvedObject }) => involvedObject.namespace === namespace);
    const lines = events
        .filter(
            ({ reason, message = "" }) =>
                reason !== "Pulling" &&
                reason !== "Pulled" &&
                !unnamedImage.test(message) &&
                !unexplainedRestart.test(message),
        )
        .toSorted((a, b) => time(b) - time(a))
        .map((event) => ({
            key: `${event.involvedObject.kind} ${event.reason} ${event.message?.replace(ownPort, "->")}`,
            line: `${objectOf(event)}: ${event.reason}: ${event.message}`,
        }));
    const warnings = [...new Map(lines.toReversed().map(({ key, line }) => [key, line])).values()].toReversed();
    return [...pullLines(events, now), ...warnings];
}

/**
 * Reasons why an Application is not Synced and Healthy, one a line, the most specific first.
 *
 * @param status the Application's status; undefined before Argo CD has processed it
 * @param warnings failed containers and Kubernetes' warnings in its namespace, newest first
 */
export function reasons(status: ApplicationStatus | undefined, warnings: readonly string[] = []): string[] {
    const { health, operationState: operation, conditions = [], resources = [] } = status ?? {};
    const all = [
        ...(status === undefined ? ["Argo CD has not processed it yet: is its application controller running?"] : []),
        ...(health?.message ? [`health: ${health.message}`] : []),
        ...(operation?.phase && operation.phase !== "Succeeded"
            ? [`last sync ${operation.phase}: ${operation.message ?? "no message"}`]
            : []),
        ...conditions.map(({ type, message }) => `${type}: ${message}`),
        ...resources
            .filter((resource) => resource.status === "OutOfSync")
            .map(({ kind, name }) => `${kind} ${name} is OutOfSync`),
        ...warnings.slice(0, 3),
    ];
    return [...new Set(all)];
}

/**
 * Message of a gate about an Application that is not Synced and Healthy in time, with the next command.
 *
 * @param name of the Application
 * @param where its place, for instance "tier 2"
 * @param status and warnings as for {@link reasons}
 * @param deleted time since which it is being deleted, if it is
 */
export function explainFailure(
    name: string,
    where: string,
    status: ApplicationStatus | undefined,
    warnings: readonly string[] = [],
    deleted?: Date,
): string {
    const { sync, health } = status ?? {};
    const revision = revisionOf(status)?.slice(0, 7);
    return [
        `Application ${name} (${where}) did not become Synced and Healthy in time: ` +
            `sync ${sync?.status ?? "Unknown"}${revision ? ` at ${revision}` : ""}, health ${health?.status ?? "Unknown"}.`,
        ...(deleted
            ? [
                  `  it has been in deletion since ${deleted.toISOString()}: Argo CD waits until all of its objects are ` +
                      "gone, and a finalizer holds some of them; once it is gone, `pulumi up --refresh` recreates it",
              ]
            : []),
        ...reasons(status, warnings).map((reason) => `  ${reason}`),
        "Nothing after it was started and nothing was rolled back. Inspect it with:",
        `  kubectl -n argocd describe application ${name}`,
        warnings.some((line) => line.includes("still pulling the image"))
            ? "Pulls continue without this run: rerun `pulumi up` once the images are present. For longer waits: pulumi config set hearth:tierTimeout 1h"
            : "Push the fix and rerun `pulumi up`: it continues from here.",
    ].join("\n");
}
