import { join } from "node:path";

/** The table of the rights of each account, by namespace: a line each. */
export const permissionsTable = join(__dirname, "golden/permissions.txt");

/** A rule of a role, from a manifest or from the API server. */
export interface Rule {
    readonly verbs: readonly string[];
    readonly apiGroups?: readonly string[];
    readonly resources?: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly nonResourceURLs?: readonly string[];
}

const sorted = (words: readonly string[] = []) => [...words].sort().join(",");

/** A rule in the table's form. */
export function ruleInWords({ verbs, resources, apiGroups, resourceNames, nonResourceURLs }: Rule): string {
    const groups = (apiGroups ?? []).filter(Boolean);
    const what = resources
        ? `${sorted(resources)}${groups.length > 0 ? ` (${sorted(groups)})` : ""}`
        : sorted(nonResourceURLs);
    return `${sorted(verbs)} ${what}${resourceNames ? ` named ${sorted(resourceNames)}` : ""}`;
}
