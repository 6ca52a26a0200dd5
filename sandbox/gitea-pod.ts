import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isFree } from "../lib/ports";
import { run } from "../lib/run";
import { sourcesOf } from "../toolchain/go-build";
import { testTools } from "../toolchain/tools";
import type { Closeable } from "./http-server";
import { type KubeApi, kubeApi } from "./kube-api";
import { ownTool } from "./links";
import type { SandboxPaths } from "./paths";
import { type PodMetadata, type PodSpec, resolveEnvironment } from "./pod";
import { repeat } from "./repeat";
import { portInUse } from "./settings";
import { type ProcessSpec, Supervisor } from "./supervisor";

/** Milliseconds between polls of the cluster. */
const interval = 500;

const namespace = "gitops";

/** Fields of a StatefulSet that are read here. */
interface Workload {
    readonly metadata: { readonly name: string; readonly namespace: string; readonly generation?: number };
    readonly spec: {
        readonly replicas?: number;
        readonly template: { readonly metadata?: Pick<PodMetadata, "labels">; readonly spec: PodSpec };
    };
    readonly status?: { readonly observedGeneration?: number; readonly readyReplicas?: number };
}

/** Reports whether a kubelet would run the workload's containers by now. */
function isRolledOut({ metadata, spec, status }: Workload): boolean {
    return (
        (spec.replicas ?? 1) > 0 &&
        (status?.readyReplicas ?? 0) > 0 &&
        status?.observedGeneration === metadata.generation
    );
}

/** The running Gitea. */
interface Running {
    /** The pod template, and the volume's claim, that it was started from. */
    readonly of: string;
    readonly supervisor: Supervisor;
}

/** Differences from the pod: addresses, folders, and assets that a release embeds and the sources have as files. */
function adaptation(directory: string, port: number, sources: string): Record<string, string> {
    return {
        ...(process.getuid?.() === 0 ? { GITEA____I_AM_BEING_UNSAFE_RUNNING_AS_ROOT: "true" } : {}),
        GITEA____RUN_MODE: "prod",
        GITEA____WORK_PATH: directory,
        GITEA__server__HTTP_ADDR: "127.0.0.1",
        GITEA__server__HTTP_PORT: String(port),
        GITEA__server__STATIC_ROOT_PATH: sources,
        GITEA__server__OFFLINE_MODE: "true",
        GITEA__server__DISABLE_SSH: "true",
        GITEA__server__START_SSH_SERVER: "false",
        GITEA__database__PATH: join(directory, "data/gitea.db"),
        GITEA__webhook__ALLOWED_HOST_LIST: "loopback",
        GITEA__log__MODE: "console",
        GITEA__log__LEVEL: "Warn",
    };
}

/** Gitea's pod of charts/gitops as processes: the init container's script, then the program, with their own environment. */
class GiteaPod {
    #running: Running | undefined;

    constructor(
        readonly paths: SandboxPaths,
        readonly port: number,
        readonly api: KubeApi,
        readonly log: (line: string) => void,
    ) {}

    async reconcile(): Promise<void> {
        const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/gitea-data`;
        const [workload, claim] = await Promise.all([
            this.api.get<Workload>(`/apis/apps/v1/namespaces/${namespace}/statefulsets/gitea`),
            this.api.get<{ metadata: { uid: string } }>(path),
        ]);
        if (!workload || workload.spec.replicas === 0 || !claim) {
            await this.stop();
            return;
        }
        const of = `${claim.metadata.uid} ${JSON.stringify(workload.spec.template)}`;
        if (this.#running?.of === of || !isRolledOut(workload)) {
            return;
        }
        await this.stop();
        const spec = await this.#prepare(workload, join(this.paths.gitea, claim.metadata.uid));
        this.#running = { of, supervisor: new Supervisor("gitea", spec, this.log) };
    }

    /** Runs the steps of the image's entry point and of the init container. */
    async #prepare(workload: Workload, directory: string): Promise<ProcessSpec> {
        const { containers, initContainers = [] } = workload.spec.template.spec;
        const [container, admin] = [containers, initContainers].map(([first]) => first);
        if (!container || !admin) {
            throw new Error("the pod of Gitea does not have the containers of its chart");
        }
        mkdirSync(directory, { recursive: true });
        const config = join(directory, "app.ini");
        // All settings come from the environment, as in a new pod; removed ones fall back to their defaults.
        writeFileSync(config, "", { mode: 0o600 });
        const adapted = adaptation(directory, this.port, await sourcesOf("gitea", testTools.gitea));
        const { name, namespace } = workload.metadata;
        const identity = { ...workload.spec.template.metadata, name: `${name}-0`, namespace };
        const environment = async (of: typeof container) => ({
            PATH: `${directory}:${process.env["PATH"]}`,
            HOME: directory,
            USER: process.env["USER"] ?? "root",
            ...(await resolveEnvironment(this.api, identity, of)),
            ...adapted,
        });
        const program = ownTool(this.paths, "gitea");
        const common = { cwd: directory, logFile: join(this.paths.logs, "gitea.log") };
        const env = await environment(container);
        const command = async (name: string, args: string[], variables: NodeJS.ProcessEnv) => {
            const { exitCode, output } = await run(name, args, { ...common, env: variables });
            if (exitCode !== 0) {
                throw new Error(`${args.join(" ")} exited with ${exitCode}: ${output.trim()}`);
            }
        };
        await command(program, ["--config", config, "config", "edit-ini", "--in-place", "--apply-env"], env);
        // The image's gitea is a script too.
        const script = join(directory, "gitea");
        writeFileSync(script, `#!/bin/sh\nexec ${program} --config ${config} "$@"\n`);
        chmodSync(script, 0o755);
        const scripts = await this.api.get<{ data: Record<string, string> }>(
            `/api/v1/namespaces/${namespace}/configmaps/gitea`,
        );
        await command("sh", ["-c", scripts?.data["admin.sh"] ?? ""], await environment(admin));
        return { program, args: ["--config", config, "web"], env, ...common };
    }

    async stop(): Promise<void> {
        const running = this.#running;
        this.#running = undefined;
        await running?.supervisor.stop();
    }
}

/**
 * Runs Gitea while its pod is in the cluster, until closed. Each claim has a folder, so another claim is an empty
 * volume.
 *
 * @throws Failure when the port is in use
 */
export async function followGitea(paths: SandboxPaths, port: number, log: (line: string) => void): Promise<Closeable> {
    if (!(await isFree(port))) {
        throw portInUse(port, "hearth:gitea.address");
    }
    const api = kubeApi(paths.kubeconfig);
    const pod = new GiteaPod(paths, port, api, log);
    const loop = repeat(interval, "gitea", () => pod.reconcile(), log);
    return {
        close: async () => {
            await loop.close();
            await pod.stop();
            api.close();
        },
    };
}
