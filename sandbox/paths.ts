import { realpathSync } from "node:fs";
import { join } from "node:path";
import type { LockHolder } from "../lib/lock";

/** Paths of a checkout's sandbox, all in one folder that Git ignores. */
export interface SandboxPaths {
    /** The checkout. */
    readonly root: string;
    /** `.sandbox` in it. */
    readonly directory: string;
    /** Administrator's access to the cluster; readable only by its owner. */
    readonly kubeconfig: string;
    /** One file for each process. */
    readonly logs: string;
    /**
     * Links to the programs that the sandbox runs. Processes started through a path in {@link directory} are the
     * sandbox's own, and are found by it.
     */
    readonly bin: string;
    /** KWOK_WORKDIR. */
    readonly kwok: string;
    /** Bare repositories, by the path of their URL. */
    readonly git: string;
    /** Folder of Gitea instead of its pod's volume. */
    readonly gitea: string;
    /** The chart repository. */
    readonly charts: string;
    /** Folder of Argo CD's processes instead of their pods' emptyDir volumes. */
    readonly argocd: string;
    /** Folders of the operators' processes. */
    readonly operators: string;
    /** The API server's egress configuration. */
    readonly egress: string;
    /** Written when the cluster is complete; without it, the cluster is recreated. */
    readonly clusterMarker: string;
    /** Held by the command that starts or stops the sandbox. */
    readonly lock: string;
    /** Record of the Pulumi that `npm start` runs, as {@link LockHolder}. */
    readonly running: string;
}

/** The paths of a checkout's sandbox. */
export function sandboxPaths(projectRoot: string): SandboxPaths {
    // Processes are known by their path, so it has to be the same however the checkout was reached.
    const root = realpathSync(projectRoot);
    const directory = join(root, ".sandbox");
    return {
        root,
        directory,
        kubeconfig: join(directory, "kubeconfig"),
        logs: join(directory, "logs"),
        bin: join(directory, "bin"),
        kwok: join(directory, "kwok"),
        git: join(directory, "git"),
        gitea: join(directory, "gitea"),
        charts: join(directory, "charts"),
        argocd: join(directory, "argocd"),
        operators: join(directory, "operators"),
        egress: join(directory, "egress.yaml"),
        clusterMarker: join(directory, "cluster.json"),
        lock: join(directory, "lock"),
        running: join(directory, "pulumi.json"),
    };
}
