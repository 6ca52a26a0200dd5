import type { V1Deployment, V1LabelSelector } from "./kubernetes-types";

type Labels = Readonly<Record<string, string>>;

/** Whether labels meet a selector. An empty selector is met by all, an absent one by none. */
export function matches(selector: V1LabelSelector | undefined, labels: Labels = {}): boolean {
    if (!selector) {
        return false;
    }
    const exact = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
    return (
        exact &&
        (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
            const value = labels[key];
            switch (operator) {
                case "In":
                    return value !== undefined && values.includes(value);
                case "NotIn":
                    return value === undefined || !values.includes(value);
                case "Exists":
                    return value !== undefined;
                case "DoesNotExist":
                    return value === undefined;
                default:
                    return false;
            }
        })
    );
}

/** The Deployment of these labels, if its pods run: the controller in them could work. */
export function findAvailable(deployments: readonly V1Deployment[], labels: Labels): V1Deployment | undefined {
    return deployments.find(
        ({ metadata, status }) =>
            matches({ matchLabels: { ...labels } }, metadata?.labels) &&
            (status?.availableReplicas ?? 0) > 0 &&
            status?.conditions?.some((each) => each.type === "Available" && each.status === "True"),
    );
}
