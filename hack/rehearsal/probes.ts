import type { Container, Probe, Workload } from "./observation";

/** Parts of a workload that the sandbox's simulated kubelets do not run. */
export interface Untried {
    readonly workload: string;
    /** Each as a sentence without a period. */
    readonly parts: readonly string[];
    /** Probes that cannot pass on any kubelet. */
    readonly neverPass: readonly string[];
}

const probeNames = ["startupProbe", "livenessProbe", "readinessProbe"] as const;

const portOf = ({ httpGet, tcpSocket, grpc }: Probe) => (httpGet ?? tcpSocket ?? grpc)?.port;

/** `namespace/name` of a workload. */
export const nameOf = ({ metadata }: Pick<Workload, "metadata">) => `${metadata.namespace}/${metadata.name}`;

/** Key that identifies a workload. */
export const keyOf = (workload: Pick<Workload, "kind" | "metadata">) => `${workload.kind} ${nameOf(workload)}`;

const containersOf = ({ spec }: Workload): readonly Container[] => [
    ...spec.template.spec.containers,
    ...(spec.template.spec.initContainers ?? []),
];

/** Sentences about the probes of a container, from its declared ports: a kubelet resolves a named port only in them. */
function probesOf(container: Container): { readonly neverPass: string[]; readonly undeclared: string[] } {
    const ports = container.ports ?? [];
    const found = { neverPass: [] as string[], undeclared: [] as string[] };
    for (const name of probeNames) {
        const port = container[name] && portOf(container[name]);
        if (typeof port === "string" && !ports.some((each) => each.name === port)) {
            found.neverPass.push(
                `${name} of ${container.name} uses the port ${port}, which the container does not name`,
            );
        } else if (typeof port === "number" && !ports.some((each) => each.containerPort === port)) {
            found.undeclared.push(
                `${name} of ${container.name} uses port ${port}, which the container does not declare`,
            );
        }
    }
    return found;
}

const probesText = (container: Container | undefined) =>
    JSON.stringify(probeNames.map((name) => container?.[name] ?? null));

/** Compares a workload with its previous version; undefined when nothing changed that only a kubelet tests. */
export function untriedParts(before: Workload | undefined, after: Workload): Untried | undefined {
    const former = new Map((before ? containersOf(before) : []).map((each) => [each.name, each]));
    const parts: string[] = [];
    const neverPass: string[] = [];
    for (const container of containersOf(after)) {
        const old = former.get(container.name);
        const hasProbes = probesText(container) !== probesText(undefined);
        if (old === undefined) {
            parts.push(`${container.name} is new: image ${container.image}${hasProbes ? " and its probes" : ""}`);
        } else if (old.image !== container.image) {
            parts.push(`${container.name}: image ${old.image} becomes ${container.image}`);
        }
        if (old !== undefined && hasProbes && probesText(old) !== probesText(container)) {
            parts.push(`${container.name}: its probes change`);
        }
        const isChanged = JSON.stringify(old) !== JSON.stringify(container);
        const probes = probesOf(container);
        parts.push(...(isChanged ? probes.undeclared : []));
        neverPass.push(...(isChanged ? probes.neverPass : []));
    }
    return parts.length + neverPass.length > 0 ? { workload: nameOf(after), parts, neverPass } : undefined;
}
