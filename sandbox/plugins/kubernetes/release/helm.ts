import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Session } from "../session";

/** The helm command: the launcher says where it is. */
const executable = process.env["HEARTH_HELM"] || "helm";

/** What helm said. */
export interface HelmOutput {
    readonly stdout: string;
    readonly stderr: string;
}

/** Helm ended with an error; the message is its own. */
export class HelmError extends Error {}

/** How helm is called. */
export interface HelmCall {
    /** Helm's standard input, for what must not stand in its arguments. */
    readonly input?: string;
    readonly namespace?: string;
    readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Makes a folder that only this user can read for as long as `body` runs.
 *
 * @param body gets the folder
 */
export async function inPrivateFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
    const folder = mkdtempSync(join(tmpdir(), "pulumi-helm-"));
    const remove = () => rmSync(folder, { recursive: true, force: true });
    process.once("exit", remove);
    try {
        return await body(folder);
    } finally {
        process.off("exit", remove);
        remove();
    }
}

/** Calls helm with the kubeconfig and the settings of the provider. */
export class Helm {
    readonly #session: Session;

    constructor(session: Session) {
        this.#session = session;
    }

    /**
     * Runs a helm command that needs no cluster.
     *
     * @throws HelmError when helm ends with an error
     */
    run(args: readonly string[], call: HelmCall = {}): Promise<HelmOutput> {
        return this.#spawn([...args, ...this.#namespace(call)], call);
    }

    /** {@link run} for a command that works on the cluster. A kubeconfig without a file is written for the call. */
    async runOnCluster(args: readonly string[], call: HelmCall = {}): Promise<HelmOutput> {
        const { kubeconfig, configuration } = this.#session;
        const { context, cluster } = configuration;
        const flags = ["--burst-limit", "120", "--qps", "50", ...(context ? ["--kube-context", context] : [])];
        const all = [...args, ...flags, ...this.#namespace(call)];
        if (!kubeconfig || (kubeconfig.file && !cluster)) {
            return this.#spawn([...all, ...(kubeconfig?.file ? ["--kubeconfig", kubeconfig.file] : [])], call);
        }
        return inPrivateFolder((folder) => {
            const file = join(folder, "kubeconfig");
            writeFileSync(file, JSON.stringify(kubeconfig.document), { mode: 0o600 });
            return this.#spawn([...all, "--kubeconfig", file], call);
        });
    }

    #namespace({ namespace }: HelmCall): readonly string[] {
        return namespace ? ["--namespace", namespace] : [];
    }

    get #environment(): Record<string, string> {
        const { driver, pluginsPath, registryConfigPath, repositoryCache, repositoryConfigPath } =
            this.#session.configuration.helm;
        return {
            HELM_DRIVER: driver ?? "secret",
            ...(pluginsPath ? { HELM_PLUGINS: pluginsPath } : {}),
            ...(registryConfigPath ? { HELM_REGISTRY_CONFIG: registryConfigPath } : {}),
            ...(repositoryCache ? { HELM_REPOSITORY_CACHE: repositoryCache } : {}),
            ...(repositoryConfigPath ? { HELM_REPOSITORY_CONFIG: repositoryConfigPath } : {}),
        };
    }

    #spawn(args: readonly string[], { input, environment }: HelmCall): Promise<HelmOutput> {
        const { signal } = this.#session;
        return new Promise((resolve, reject) => {
            const child = spawn(executable, args, {
                env: { ...process.env, ...this.#environment, ...environment },
                stdio: ["pipe", "pipe", "pipe"],
            });
            // Helm marks the release as failed when it is told to end.
            const cancel = () => child.kill("SIGTERM");
            signal.addEventListener("abort", cancel);
            // In the official plugin Helm is a library: what ends the plugin ends it.
            const kill = () => child.kill("SIGKILL");
            process.once("exit", kill);
            const stdout: Buffer[] = [];
            const stderr: Buffer[] = [];
            child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
            child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
            child.stdin.on("error", () => {});
            child.stdin.end(input ?? "");
            child.on("error", (error) => reject(new HelmError(`cannot run ${executable}: ${error.message}`)));
            child.on("close", (code) => {
                signal.removeEventListener("abort", cancel);
                process.off("exit", kill);
                const output = { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
                if (code === 0) {
                    resolve(output);
                } else {
                    reject(new HelmError(errorOf(output.stderr) || `helm ended with code ${code}`));
                }
            });
        });
    }
}

/** The error in what helm writes, without the warnings before it and without what only the command puts in front. */
export function errorOf(stderr: string): string {
    const index = stderr.search(/^Error: /m);
    const error = index === -1 ? stderr : stderr.slice(index + "Error: ".length);
    return error.replace(/^(INSTALLATION|UPGRADE) FAILED: /, "").trim();
}
