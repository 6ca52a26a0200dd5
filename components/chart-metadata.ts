import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RunError } from "@pulumi/pulumi/errors";
import { parse } from "yaml";
import type { Application } from "./applications";
import type { PodSecurity } from "./namespaces";

const levels: readonly string[] = ["restricted", "baseline", "privileged"] satisfies PodSecurity[];

function isPodSecurity(level: string): level is PodSecurity {
    return levels.includes(level);
}

/**
 * The namespaces of the home's services with the Pod Security level that each chart states in the annotation
 * `hearth/pod-security` of its Chart.yaml; `restricted` when it states none.
 *
 * @param root the repository's top folder
 * @throws RunError for a level that Kubernetes does not know
 */
export function serviceNamespaces(root: string, applications: readonly Application[]): Record<string, PodSecurity> {
    return Object.fromEntries(
        applications.map(({ name, namespace }) => {
            const chart = parse(readFileSync(join(root, "charts", name, "Chart.yaml"), "utf8"));
            const level: string = chart?.annotations?.["hearth/pod-security"] ?? "restricted";
            if (!isPodSecurity(level)) {
                throw new RunError(
                    `charts/${name}/Chart.yaml: annotation hearth/pod-security: found "${level}"; accepted: ${levels.join(", ")}`,
                );
            }
            return [namespace, level];
        }),
    );
}
