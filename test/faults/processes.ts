import { signal } from "../../lib/processes";
import { ownProcesses, programOf } from "../../sandbox/own-processes";
import { sandboxPaths } from "../../sandbox/paths";
import type { Home } from "../sandbox/home";

/** The programs of a home's control plane; on real nodes, k3s contains all of them, and systemd restarts it. */
export const controlPlane = ["etcd", "kube-apiserver", "kube-controller-manager"] as const;

/** Programs of pods, which are restarted. */
export const inPods = ["argocd-application-controller", "argocd-repo-server", "argocd-redis", "gitea"] as const;

/** A program that a fault hits. */
export type Program = (typeof controlPlane | typeof inPods)[number];

/** The home's processes of a program. */
export function pidsOf(home: Home, program: Program): number[] {
    return ownProcesses(sandboxPaths(home.root))
        .filter((each) => programOf(each) === program)
        .map(({ pid }) => pid);
}

/** Sends a signal to processes; ignores those that have ended. */
function send(pids: readonly number[], name: NodeJS.Signals): void {
    for (const pid of pids) {
        signal(pid, name);
    }
}

/** The home's processes of a program; throws when there is none, since a fault that hits nothing proves nothing. */
function victims(home: Home, program: Program): number[] {
    const pids = pidsOf(home, program);
    if (pids.length === 0) {
        throw new Error(`${program} does not run`);
    }
    return pids;
}

/** Kills every process of a program. */
export function kill(home: Home, program: Program): void {
    send(victims(home, program), "SIGKILL");
}

/**
 * Stops every process of a program, so that it does not answer, and continues it.
 *
 * @param time how long it is stopped, in milliseconds
 */
export async function freeze(home: Home, program: Program, time: number): Promise<void> {
    const pids = victims(home, program);
    send(pids, "SIGSTOP");
    await new Promise((over) => setTimeout(over, time));
    send(pids, "SIGCONT");
}
