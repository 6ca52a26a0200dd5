/** What is done on a node, or about it, in the order in which it begins. A resource has the node's name in front. */
export const steps = [
    "k3s-binary",
    "baseline",
    "access",
    "access-confirmed",
    "api-address",
    "storage",
    "unlock",
    "k3s-join",
    "credentials",
    "k3s-converge",
    "member",
] as const;

/** One of {@link steps}. */
export type Step = (typeof steps)[number];

/** Name of the resource for a step of a node. */
export function stepName(node: string, step: Step): string {
    return `${node}-${step}`;
}
