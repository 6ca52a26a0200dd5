import type { Kubectl } from "../kubectl";
import type { KnownRelease } from "./deployment";

/** Helm's record of one revision of a release: a Secret in the release's namespace. */
export interface ReleaseRecord {
    readonly metadata: {
        readonly name: string;
        readonly labels: { readonly name: string; readonly status: string; readonly version: string };
    };
}

/**
 * Helm's records that block the next run.
 *
 * - An interrupted revision is `pending-…`, and Helm refuses the release for good: "another operation is in progress".
 *   Without that record, it continues from the revision before.
 * - A release that is not in the state, in whatever status, is refused as "a name that is still in use".
 *
 * The objects in the cluster stay as they are, and carry the release's name: the next run adopts existing ones and adds
 * missing ones. Uninstalling instead would delete custom resources with their definitions.
 */
export function recordsInTheWay({ inState }: KnownRelease, records: readonly ReleaseRecord[]): ReleaseRecord[] {
    return records.filter(({ metadata }) => !inState || metadata.labels.status.startsWith("pending-"));
}

/**
 * Removes Helm's records that block the next run.
 *
 * @param report called with a line for each
 */
export async function freeRelease(kubectl: Kubectl, release: KnownRelease, report: (line: string) => void) {
    const { namespace, name } = release;
    const options = ["--namespace", namespace, "--selector", `owner=helm,name=${name}`];
    for (const { metadata } of recordsInTheWay(release, await kubectl.list<ReleaseRecord>("secrets", ...options))) {
        await kubectl.run(["delete", "secret", metadata.name, "--namespace", namespace, "--ignore-not-found"]);
        const { status, version } = metadata.labels;
        const why = release.inState ? "was interrupted" : "is not in the state";
        report(
            `Helm release ${namespace}/${name}: revision ${version} (${status}) ${why}; the next run continues from it`,
        );
    }
}
