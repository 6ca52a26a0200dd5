import { join } from "node:path";

/** The table of what each account may do, and where: a line each. */
export const permissionsTable = join(__dirname, "golden/permissions.txt");

/** A rule of a role, as its author wrote it or as the API server answers with it. */
export interface Rule {
    readonly verbs: readonly string[];
    readonly apiGroups?: readonly string[];
    readonly resources?: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly nonResourceURLs?: readonly string[];
}

const sorted = (words: readonly string[] = []) => [...words].sort().join(",");

/** A rule in the words of the table. */
export function ruleInWords({ verbs, resources, apiGroups, resourceNames, nonResourceURLs }: Rule): string {
    const groups = (apiGroups ?? []).filter(Boolean);
    const what = resources
        ? `${sorted(resources)}${groups.length > 0 ? ` (${sorted(groups)})` : ""}`
        : sorted(nonResourceURLs);
    return `${sorted(verbs)} ${what}${resourceNames ? ` named ${sorted(resourceNames)}` : ""}`;
}
