import { join } from "node:path";
import { isMap, patched } from "../lib/merge-patch";
import { parseQuantity } from "../lib/quantity";
import { type Application, valueFilePath } from "./applications";
import type { ClusterFacts } from "./cluster";
import { type OverrideSettings, overriddenManifest } from "./overrides";
import { readYamlFile } from "./yaml-file";

/** Bytes of a memory quantity such as 512Mi; 0 for any other value. */
export function bytesOf(quantity: unknown): number {
    try {
        return parseQuantity(String(quantity));
    } catch {
        return 0; // The API server rejects it.
    }
}

const field = (value: unknown, ...path: readonly string[]): unknown =>
    path.reduce((parent, key) => (isMap(parent) ? parent[key] : undefined), value);

const maps = (value: unknown) => (isMap(value) ? Object.values(value) : []);

/** Bytes that a container's `resources` request; a container with only a limit requests that. */
function requestOf(container: unknown): number {
    return bytesOf(
        field(container, "resources", "requests", "memory") ?? field(container, "resources", "limits", "memory"),
    );
}

/** Bytes that the pods of a workload in a chart's values request while they run. */
function workloadRequest(workload: unknown, defaults: unknown, nodes: number): number {
    const kind = field(workload, "kind") ?? field(defaults, "kind");
    if (!isMap(workload) || workload["enabled"] === false || kind === "Job" || kind === "CronJob") {
        return 0;
    }
    const replicas = Number(workload["replicas"] ?? field(defaults, "replicas") ?? 1);
    const init = maps(workload["init"]).filter((each) => field(each, "sidecar") === true);
    const pod = [patched(defaults, workload), ...maps(workload["sidecars"]), ...init].map(requestOf);
    return (kind === "DaemonSet" ? nodes : replicas) * pod.reduce((sum, each) => sum + each, 0);
}

/** Bytes requested in values of an upstream chart, at any depth. */
function upstreamRequest(values: unknown): number {
    return isMap(values)
        ? requestOf(values) + maps(values).reduce((sum: number, each) => sum + upstreamRequest(each), 0)
        : 0;
}

/**
 * Memory that the pods of an Application request while they run, in bytes. It is a lower bound: workloads that a
 * template generates and jobs are not counted.
 *
 * @param root the repository's top folder
 * @param nodes number of nodes, each of which runs the pods of DaemonSets
 */
export function memoryRequest(root: string, { manifest }: Application, nodes: number): number {
    const read = (path: string) => readYamlFile(join(root, path)).document;
    const [{ path, helm }, ...others] = manifest.spec.sources;
    const files = ["values.yaml", ...(helm?.valueFiles ?? [])].map((file) => read(valueFilePath(path, file)));
    const values = [...files, helm?.valuesObject].reduce(patched, {});
    const defaults = field(values, "defaults");
    const own = maps(field(values, "workloads")).map((workload) => workloadRequest(workload, defaults, nodes));
    const upstream = others.map((each) =>
        upstreamRequest(
            (each.helm?.valueFiles ?? []).map((file) => read(valueFilePath(path, file))).reduce(patched, {}),
        ),
    );
    return [...own, ...upstream].reduce((sum, each) => sum + each, 0);
}

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/**
 * A warning about a cluster without the memory that the services request: pods that do not fit stay Pending, and their
 * tier fails.
 *
 * @param root the repository's top folder
 * @returns an empty list if they may fit
 */
export function memoryShortage(
    root: string,
    applications: readonly Application[],
    settings: OverrideSettings,
    facts: Pick<ClusterFacts, "nodes" | "memory">,
): string[] {
    const requests = applications.map((each) => ({
        name: each.name,
        bytes: memoryRequest(root, { ...each, manifest: overriddenManifest(each, settings) }, facts.nodes.length),
    }));
    const total = requests.reduce((sum, { bytes }) => sum + bytes, 0);
    if (facts.memory === 0 || total <= facts.memory) {
        return [];
    }
    const largest = requests.sort((a, b) => b.bytes - a.bytes).slice(0, 5);
    return [
        `The services request at least ${gib(total)} of memory, and the nodes of this cluster have ${gib(facts.memory)}: pods that do ` +
            `not fit stay Pending. The largest: ${largest.map(({ name, bytes }) => `${name} ${gib(bytes)}`).join(", ")}. Remove ` +
            "services from clusters/, lower their resources.requests, set hearth:profile to small, or add a node.",
    ];
}
