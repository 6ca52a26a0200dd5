import type { KubeApi } from "./kube-api";

/** The parts of a container that a process can be run from. */
export interface Container {
    readonly name: string;
    readonly command?: readonly string[];
    readonly args?: readonly string[];
    readonly env?: readonly EnvironmentVariable[];
    readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface KeyReference {
    readonly name: string;
    readonly key: string;
    readonly optional?: boolean;
}

interface EnvironmentVariable {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: {
        readonly configMapKeyRef?: KeyReference;
        readonly secretKeyRef?: KeyReference;
        readonly fieldRef?: { readonly fieldPath: string };
    };
}

/** A Deployment or StatefulSet, as far as the sandbox looks into it. */
export interface Workload {
    readonly metadata: { readonly name: string; readonly namespace: string; readonly generation?: number };
    readonly spec: {
        readonly replicas?: number;
        readonly template: {
            readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
            readonly spec: {
                readonly containers: readonly Container[];
                readonly initContainers?: readonly Container[];
                readonly volumes?: readonly { readonly name: string; readonly emptyDir?: object }[];
            };
        };
    };
    readonly status?: { readonly observedGeneration?: number; readonly readyReplicas?: number };
}

/** Whether a kubelet would have the workload's containers running by now. */
export function isRolledOut({ metadata, spec, status }: Workload): boolean {
    return (
        (spec.replicas ?? 1) > 0 &&
        (status?.readyReplicas ?? 0) > 0 &&
        status?.observedGeneration === metadata.generation
    );
}

/** Something that a container refers to is not there; a kubelet says CreateContainerConfigError. */
export class MissingReference extends Error {}

/** Resolves a container's environment as a kubelet does when it starts the container. */
export async function resolveEnvironment(
    api: KubeApi,
    { metadata, spec }: Workload,
    container: Container,
): Promise<Record<string, string>> {
    const { namespace } = metadata;
    const objects = new Map<string, Promise<Record<string, string> | undefined>>();
    const data = (kind: "configmaps" | "secrets", name: string) => {
        const path = `/api/v1/namespaces/${namespace}/${kind}/${name}`;
        const found =
            objects.get(path) ?? api.get<{ data?: Record<string, string> }>(path).then((each) => each?.data ?? {});
        objects.set(path, found);
        return found;
    };
    const fields: Record<string, string> = {
        "metadata.namespace": namespace,
        "metadata.name": `${metadata.name}-0`,
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
        "spec.nodeName": "server",
    };
    const label = (path: string) =>
        spec.template.metadata?.labels?.[path.match(/^metadata\.labels\['(.*)'\]$/)?.[1] ?? ""];
    const environment: Record<string, string> = {};
    for (const { name, value, valueFrom } of container.env ?? []) {
        const reference = valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef;
        if (reference) {
            const secret = valueFrom?.secretKeyRef !== undefined;
            const found = (await data(secret ? "secrets" : "configmaps", reference.name))?.[reference.key];
            if (found !== undefined) {
                environment[name] = secret ? Buffer.from(found, "base64").toString() : found;
            } else if (!reference.optional) {
                throw new MissingReference(
                    `${secret ? "Secret" : "ConfigMap"} ${reference.name} has no ${reference.key}`,
                );
            }
        } else if (valueFrom?.fieldRef) {
            const { fieldPath } = valueFrom.fieldRef;
            environment[name] = fields[fieldPath] ?? label(fieldPath) ?? "";
        } else {
            environment[name] = expand(value ?? "", environment);
        }
    }
    return environment;
}

/** Expands $(NAME) as Kubernetes does; a name that is not known stays as it is. */
export function expand(text: string, environment: Readonly<Record<string, string>>): string {
    return text.replaceAll(/\$(\$\(|\(([^)]*)\))/g, (match, _inner, name?: string) =>
        name === undefined ? "$(" : (environment[name] ?? match),
    );
}

/** The folders on disk that take the place of a container's emptyDir volumes: mount path to volume name. */
export function emptyDirectories({ spec }: Workload, container: Container): Map<string, string> {
    const empty = new Set((spec.template.spec.volumes ?? []).filter((each) => each.emptyDir).map(({ name }) => name));
    return new Map(
        (container.volumeMounts ?? []).filter(({ name }) => empty.has(name)).map((each) => [each.mountPath, each.name]),
    );
}
