import { formatTable } from "../hack/table";
import type { KubeApi } from "./kube-api";

/** Fields of an Application of Argo CD that the table shows. */
export interface ApplicationObject {
    readonly metadata: {
        readonly name: string;
        readonly creationTimestamp: string;
        readonly annotations?: Readonly<Record<string, string>>;
    };
    readonly status?: {
        readonly sync?: {
            readonly status?: string;
            readonly revision?: string;
            readonly revisions?: readonly string[];
        };
        readonly health?: { readonly status?: string; readonly lastTransitionTime?: string };
        readonly operationState?: { readonly startedAt?: string; readonly finishedAt?: string };
        readonly history?: readonly unknown[];
    };
}

/**
 * Seconds that an Application took to what it is now: from its creation, or for a later commit from the start of that
 * sync, to the end of the sync or of the change in health that followed it, whichever was last. Argo CD states these
 * times in whole seconds.
 *
 * @returns undefined while it has not been synced
 */
function secondsTaken({ metadata, status }: ApplicationObject): number | undefined {
    const { startedAt, finishedAt } = status?.operationState ?? {};
    if (!startedAt || !finishedAt) {
        return undefined;
    }
    const first = (status?.history?.length ?? 0) <= 1;
    const start = Date.parse(first ? metadata.creationTimestamp : startedAt);
    const end = Math.max(Date.parse(finishedAt), Date.parse(status?.health?.lastTransitionTime ?? finishedAt));
    return Math.max(0, (end - start) / 1000);
}

/** The Applications by tier, then by name, one line each; the root Application, which has no tier, last. */
export function applicationsTable(applications: readonly ApplicationObject[]): string {
    const tierOf = ({ metadata }: ApplicationObject) => metadata.annotations?.["argocd.argoproj.io/sync-wave"] ?? "-";
    const order = (each: ApplicationObject) => `${tierOf(each) === "-" ? "9" : tierOf(each)} ${each.metadata.name}`;
    const rows = applications
        .toSorted((a, b) => order(a).localeCompare(order(b), "en"))
        .map((each) => {
            const { sync, health } = each.status ?? {};
            return [
                tierOf(each),
                each.metadata.name,
                sync?.status ?? "Unknown",
                health?.status ?? "Unknown",
                (sync?.revisions?.[0] ?? sync?.revision ?? "").slice(0, 7) || "-",
                secondsTaken(each)?.toFixed(0) ?? "-",
            ];
        });
    return formatTable(["TIER", "APPLICATION", "SYNC", "HEALTH", "REVISION", "SECONDS"], rows);
}

/** Reads the Applications of the cluster. */
export async function readApplicationObjects(api: KubeApi): Promise<readonly ApplicationObject[]> {
    const path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications";
    return (await api.get<{ items: ApplicationObject[] }>(path))?.items ?? [];
}
