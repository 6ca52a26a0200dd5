import { type ArgocdComponent, type ArgocdPorts, argocdComponents, argocdProcess } from "./argocd-process";
import type { Closeable } from "./http-server";
import { type KubeApi, kubeApi } from "./kube-api";
import type { SandboxPaths } from "./paths";
import { freePorts } from "./ports";
import { repeat } from "./repeat";
import { Supervisor } from "./supervisor";
import { isRolledOut, MissingReference, type Workload } from "./workload";

/** Milliseconds between looks at the cluster. */
const interval = 500;
const namespace = "argocd";

interface Running {
    /** The pod template that it was started from. */
    readonly template: string;
    readonly supervisor: Supervisor;
}

/**
 * Argo CD, for real: where a kubelet would start the containers of its pods, this starts the same programs as processes,
 * with their pods' own arguments and environment, and starts them anew when the pod template changes.
 */
class ArgoCD implements Closeable {
    readonly #running = new Map<ArgocdComponent, Running>();
    #waitingFor = "";
    #closed = false;
    readonly #loop: Closeable;

    constructor(
        readonly paths: SandboxPaths,
        readonly ports: ArgocdPorts,
        readonly api: KubeApi,
        readonly log: (line: string) => void,
    ) {
        this.#loop = repeat(interval, "argocd", () => this.#reconcile(), log);
    }

    /** Says what is waited for, once. */
    #tell(what: string): void {
        if (what !== this.#waitingFor) {
            this.log(`argocd: ${what}`);
            this.#waitingFor = what;
        }
    }

    async #workloads(): Promise<Map<string, Workload>> {
        const lists = await Promise.all(
            ["deployments", "statefulsets"].map((kind) =>
                this.api.get<{ items: Workload[] }>(`/apis/apps/v1/namespaces/${namespace}/${kind}`),
            ),
        );
        const name = ({ spec }: Workload) => spec.template.metadata?.labels?.["app.kubernetes.io/name"] ?? "";
        return new Map(lists.flatMap((list) => list?.items ?? []).map((each) => [name(each), each]));
    }

    async #reconcile(): Promise<void> {
        const workloads = await this.#workloads();
        for (const component of argocdComponents) {
            if (this.#closed) {
                return;
            }
            await this.#reconcileComponent(component, workloads.get(component));
        }
    }

    async #reconcileComponent(component: ArgocdComponent, workload: Workload | undefined): Promise<void> {
        const running = this.#running.get(component);
        if (!workload || workload.spec.replicas === 0) {
            await this.#stop(component);
            return;
        }
        const template = JSON.stringify(workload.spec.template);
        if (running?.template === template || !isRolledOut(workload)) {
            return;
        }
        try {
            const spec = await argocdProcess(component, workload, this.paths, this.ports, this.api);
            await this.#stop(component);
            this.#running.set(component, { template, supervisor: new Supervisor(component, spec, this.log) });
        } catch (error) {
            if (!(error instanceof MissingReference)) {
                throw error;
            }
            this.#tell(`${component} waits: ${error.message}`);
        }
    }

    async #stop(component: ArgocdComponent): Promise<void> {
        const running = this.#running.get(component);
        this.#running.delete(component);
        await running?.supervisor.stop();
    }

    async close(): Promise<void> {
        this.#closed = true;
        await this.#loop.close();
        await Promise.all(argocdComponents.map((component) => this.#stop(component)));
        this.api.close();
    }
}

/**
 * Runs Argo CD whenever its workloads are in the cluster, until closed.
 *
 * @param serverPort of its API server, where somebody has to know it; a free one otherwise
 */
export async function startArgoCD(
    paths: SandboxPaths,
    serverPort: number | undefined,
    log: (line: string) => void,
): Promise<Closeable> {
    const free = await freePorts(
        "redis",
        "repoServer",
        "repoServerMetrics",
        "controllerMetrics",
        "server",
        "serverMetrics",
    );
    const ports = { ...free, server: serverPort ?? free.server };
    log(`argocd: the API server is on http://127.0.0.1:${ports.server} when it runs`);
    return new ArgoCD(paths, ports, kubeApi(paths.kubeconfig), log);
}
