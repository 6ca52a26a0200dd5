import type * as pulumi from "@pulumi/pulumi";
import type { NodeSettings } from "../config/nodes";
import type { ScriptInput } from "./remote-script";

/**
 * Labels and taints for the script member.sh, in the same form for a node of the home and for the edge.
 *
 * @param machine identity of the machine, as baseline.sh reports it
 * @param version of k3s
 */
export function memberInput(
    { name, labels, taints }: NodeSettings,
    machine: pulumi.Input<string>,
    version: string,
): ScriptInput {
    return {
        ...{ member: name, machine, version, taints: taints.join("\n") },
        labels: Object.entries(labels)
            .map(([key, value]) => `${key}=${value}`)
            .join("\n"),
    };
}
