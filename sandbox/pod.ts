import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { writeFileAtomically } from "./files";
import type { KubeApi } from "./kube-api";
import type { SandboxPaths } from "./paths";

/** Fields of a container that a process needs. */
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

/** Metadata that a container's environment can refer to. */
export interface PodMetadata {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
}

/** Fields of a pod's specification that a process needs. */
export interface PodSpec {
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly serviceAccountName?: string;
    readonly volumes?: readonly {
        readonly name: string;
        readonly emptyDir?: object;
        readonly secret?: { readonly secretName: string; readonly optional?: boolean };
    }[];
}

/** Fields of a pod that the sandbox reads. */
export interface Pod {
    readonly metadata: PodMetadata & {
        readonly uid: string;
        readonly creationTimestamp: string;
        readonly deletionTimestamp?: string;
    };
    readonly spec: PodSpec;
    readonly status?: {
        readonly podIP?: string;
        readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    };
}

/** A ConfigMap or Secret that a container refers to is missing; a kubelet reports CreateContainerConfigError. */
export class MissingReference extends Error {}

/** Resolves a container's environment as a kubelet does when it starts the container. */
export async function resolveEnvironment(
    api: KubeApi,
    { name: podName, namespace, labels }: PodMetadata,
    container: Container,
): Promise<Record<string, string>> {
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
        "metadata.name": podName,
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
        "spec.nodeName": "server",
    };
    const label = (path: string) => labels?.[path.match(/^metadata\.labels\['(.*)'\]$/)?.[1] ?? ""];
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

/** Expands $(NAME) as Kubernetes does; an unknown name stays as it is. */
export function expand(text: string, environment: Readonly<Record<string, string>>): string {
    return text.replaceAll(/\$(\$\(|\(([^)]*)\))/g, (match, _inner, name?: string) =>
        name === undefined ? "$(" : (environment[name] ?? match),
    );
}

/** Folders on disk instead of a container's emptyDir volumes: mount path to volume name. */
export function emptyDirectories({ volumes }: PodSpec, container: Container): Map<string, string> {
    const empty = new Set((volumes ?? []).filter((each) => each.emptyDir).map(({ name }) => name));
    return new Map(
        (container.volumeMounts ?? []).filter(({ name }) => empty.has(name)).map((each) => [each.mountPath, each.name]),
    );
}

/** Writes a kubeconfig with the rights of a pod's service account, and returns its path. */
export function writePodKubeconfig(paths: SandboxPaths, { metadata, spec }: Pod, directory: string): string {
    const file = join(directory, "kubeconfig");
    const kubeconfig = parse(readFileSync(paths.kubeconfig, "utf8"));
    kubeconfig.users[0].user.as = `system:serviceaccount:${metadata.namespace}:${spec.serviceAccountName ?? "default"}`;
    writeFileAtomically(file, stringify(kubeconfig, { lineWidth: 0 }));
    return file;
}

function isContent(file: string, content: Buffer): boolean {
    try {
        return readFileSync(file).equals(content);
    } catch {
        return false;
    }
}

/**
 * Writes the Secrets that a container mounts as files, as a kubelet does before it starts the container and while it
 * runs.
 *
 * @param root folder that replaces the container's root
 * @throws MissingReference when one is missing
 */
export async function writeSecretVolumes(
    api: KubeApi,
    { metadata, spec }: Pod,
    container: Container,
    root: string,
): Promise<void> {
    for (const { name, mountPath } of container.volumeMounts ?? []) {
        const secret = spec.volumes?.find((each) => each.name === name)?.secret;
        if (!secret) {
            continue;
        }
        const path = `/api/v1/namespaces/${metadata.namespace}/secrets/${secret.secretName}`;
        const found = await api.get<{ data?: Record<string, string> }>(path);
        if (!found && !secret.optional) {
            throw new MissingReference(`Secret ${secret.secretName} is missing`);
        }
        const directory = join(root, mountPath);
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        for (const [key, value] of Object.entries(found?.data ?? {})) {
            const [file, content] = [join(directory, key), Buffer.from(value, "base64")];
            if (!isContent(file, content)) {
                writeFileSync(file, content, { mode: 0o600 });
            }
        }
    }
}
