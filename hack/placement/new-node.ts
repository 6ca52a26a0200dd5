import { Failure } from "../../lib/failure";
import { exitCodes } from "../verb";
import type { Node } from "./home";

/** Pods that a kubelet runs by default. */
const maxPods = "110";

/**
 * A node that the home does not have yet.
 *
 * @param text processors, memory and architecture: "4,16Gi,arm64"
 * @param name of the node
 * @throws Failure for any other text
 */
export function newNode(text: string, name: string): Node {
    const [, cpu, memory, architecture] = /^(\d+(?:\.\d+|m)?),(\d+(?:\.\d+)?[MGT]i?),(amd64|arm64)$/.exec(text) ?? [];
    if (cpu === undefined || memory === undefined || architecture === undefined) {
        throw new Failure(
            `invalid --add: got ${JSON.stringify(text)}, expected processors, memory and architecture, such as 4,16Gi,amd64 ` +
                "or 4,8Gi,arm64",
            exitCodes.usage,
        );
    }
    const capacity = { cpu, memory, pods: maxPods, "ephemeral-storage": "200Gi" };
    return {
        metadata: {
            name,
            labels: {
                "kubernetes.io/arch": architecture,
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "k3s",
            },
        },
        status: { allocatable: capacity, capacity },
    };
}
