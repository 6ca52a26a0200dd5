import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../lib/ports";
import type { ToolName } from "../toolchain/tools";
import type { KubeApi } from "./kube-api";
import { ownTool } from "./links";
import type { SandboxPaths } from "./paths";
import { expand, type Pod, resolveEnvironment, writePodKubeconfig, writeSecretVolumes } from "./pod";
import type { PodProgram } from "./pod-processes";

/** An operator's container, and the differences of its process. */
interface Operator {
    readonly name: string;
    readonly tool: ToolName;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    /** Arguments before those of the container. */
    readonly command?: readonly string[];
    /** Arguments after those of the container, which they override. */
    readonly args?: (root: string) => readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly ports?: Readonly<Record<number, number>>;
}

function program(operator: Operator, paths: SandboxPaths, api: KubeApi): PodProgram {
    const { name, namespace, labels, ports } = operator;
    const directory = join(paths.operators, name);
    const container = ({ metadata, spec }: Pod) => {
        const [first] = spec.containers;
        if (!first) {
            throw new Error(`pod ${metadata.name} has no container`);
        }
        return first;
    };
    const refresh = (pod: Pod) => writeSecretVolumes(api, pod, container(pod), directory);
    return {
        name,
        namespace,
        labels,
        ...(ports && { ports }),
        refresh,
        prepare: async (pod) => {
            const temporary = join(directory, "tmp");
            mkdirSync(temporary, { recursive: true, mode: 0o700 });
            await refresh(pod);
            const env = await resolveEnvironment(api, pod.metadata, container(pod));
            return {
                program: ownTool(paths, operator.tool, name),
                args: [
                    ...(operator.command ?? []),
                    ...(container(pod).args ?? []).map((each) => expand(each, env)),
                    ...(operator.args?.(directory) ?? []),
                ],
                env: {
                    ...env,
                    ...operator.env,
                    KUBECONFIG: writePodKubeconfig(paths, pod, directory),
                    HOME: directory,
                    TMPDIR: temporary,
                },
                cwd: directory,
                logFile: join(paths.logs, `${name}.log`),
            };
        },
    };
}

/** MetalLB's controller, and cert-manager's controller, webhook and CA injector, from the pods of their charts. */
export async function operatorPrograms(paths: SandboxPaths, api: KubeApi): Promise<PodProgram[]> {
    const { metallb, certManager } = await freePorts("metallb", "certManager");
    const certManagerLabels = (component: string) => ({
        "app.kubernetes.io/instance": "cert-manager",
        "app.kubernetes.io/component": component,
    });
    const operators: Operator[] = [
        {
            name: "metallb-controller",
            tool: "metallb-controller",
            namespace: "metallb-system",
            labels: { "app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "controller" },
            args: (root) => [
                ...["--namespace=metallb-system", "--port=0"],
                `--cert-dir=${join(root, "tmp/k8s-webhook-server/serving-certs")}`,
            ],
            env: { HEARTH_WEBHOOK_PORT: String(metallb) },
            ports: { 9443: metallb },
        },
        ...(["controller", "cainjector"] as const).map((component) => ({
            name: `cert-manager-${component}`,
            tool: "cert-manager" as const,
            namespace: "cert-manager",
            labels: certManagerLabels(component),
            command: [component],
        })),
        {
            name: "cert-manager-webhook",
            tool: "cert-manager",
            namespace: "cert-manager",
            labels: certManagerLabels("webhook"),
            command: ["webhook"],
            args: () => [`--secure-port=${certManager}`, "--metrics-listen-address=0"],
            ports: { 10250: certManager },
        },
    ];
    return operators.map((operator) => program(operator, paths, api));
}
