import { type ApplicationStatus, revisionOf } from "../application-status";
import { generatePaths, resolvedPaths } from "../generate-paths";
import { git } from "../git";
import type { KubernetesObject } from "./cluster";

/** Fields of an Application that the waits read. */
export interface Application extends KubernetesObject {
    readonly spec?: {
        readonly sources?: readonly { readonly path?: string }[];
        readonly destination?: { readonly namespace?: string };
        readonly syncPolicy?: {
            readonly automated?: { readonly prune?: boolean };
            readonly syncOptions?: readonly string[];
            readonly retry?: object;
        };
    };
    readonly operation?: object;
    readonly status?: ApplicationStatus;
}

/**
 * Reports whether Argo CD has skipped the commit that an Application is compared to: one that came while it was syncing
 * the commit before it shows as OutOfSync and never syncs (https://github.com/argoproj/argo-cd/issues/27875). Manual
 * changes are OutOfSync too, and stay: no commit since the last sync touches their chart. Root has no manual changes:
 * an Application that was deleted by hand and recreated by Pulumi belongs to root only after a sync, and Argo CD syncs
 * a commit once.
 */
export async function isCommitSkipped({ metadata, spec, operation, status }: Application): Promise<boolean> {
    const { phase, syncResult } = status?.operationState ?? {};
    const [before, now] = [syncResult?.revisions?.[0] ?? syncResult?.revision, revisionOf(status)];
    const isAtRest = status?.sync?.status === "OutOfSync" && operation === undefined && phase === "Succeeded";
    if (!spec?.syncPolicy?.automated || !isAtRest || !before || !now) {
        return false;
    }
    if (metadata?.name === "root") {
        return true;
    }
    const paths = metadata?.annotations?.[generatePaths];
    if (!paths) {
        return false;
    }
    const touched = resolvedPaths(paths, spec.sources?.[0]?.path ?? "").map((path) => `:(top)${path}`);
    // Git cannot compare commits that are not in this checkout.
    return (await git(["diff", "--name-only", before, now, "--", ...touched]).catch(() => "")) !== "";
}
