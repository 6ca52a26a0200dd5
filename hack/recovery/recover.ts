import { existsSync } from "node:fs";
import { Failure } from "../../lib/failure";
import { Kubectl } from "../kubectl";
import { withPrivateFile } from "../private-file";
import { type ExportedState, knownReleases, kubeconfigOf, type StateRelease, withoutPending } from "./deployment";
import { releaseDeadLocks, type StackLock } from "./locks";
import { endOrphanedPlugins } from "./plugins";
import { freeRelease } from "./releases";

/** Dependencies of {@link recover}. */
export interface Recovery {
    /** The checkout, from which paths in the stack's config start. */
    readonly root: string;
    readonly stack: string;
    /** The locks on the stack; none for a backend that stores them elsewhere. */
    readonly locks: readonly StackLock[];
    /** Runs a command of Pulumi for the stack, with its standard input. */
    readonly pulumi: (args: readonly string[], input?: string) => Promise<string>;
    /** Called with a line for each action. */
    readonly report: (line: string) => void;
}

/** The stack's state. */
export async function exportState({ pulumi }: Pick<Recovery, "pulumi">, ...flags: string[]): Promise<ExportedState> {
    return JSON.parse(await pulumi(["stack", "export", ...flags]));
}

/** Inspects each release in the cluster of its provider. */
async function freeReleases(recovery: Recovery, releases: readonly StateRelease[]): Promise<void> {
    const providers = new Set(releases.map(({ provider }) => provider));
    const secrets = await exportState(recovery, "--show-secrets");
    for (const provider of providers) {
        const kubeconfig = kubeconfigOf(secrets, provider);
        if (kubeconfig === undefined) {
            throw new Failure(`the state does not contain the cluster of the releases of ${provider}`);
        }
        const free = async (path: string) => {
            const kubectl = new Kubectl(path);
            for (const release of releases.filter((each) => each.provider === provider)) {
                await freeRelease(kubectl, release, recovery.report);
            }
        };
        await (existsSync(kubeconfig) ? free(kubeconfig) : withPrivateFile("kubeconfig", kubeconfig, free));
    }
}

/**
 * Repairs the leftovers of a killed `pulumi up`, so that the next one completes: its lock, its orphaned plugins,
 * interrupted Helm releases, and pending operations. Objects that were being created need nothing: the provider adopts
 * existing ones (`upsertExistingObjects`), so the operation is forgotten. `pulumi refresh --clear-pending-creates`
 * would forget it too, but first reads every object of the home, and imports all manual changes into the state.
 *
 * @throws Failure when a run is in progress; nothing is changed then
 */
export async function recover(recovery: Recovery): Promise<void> {
    const { locks, pulumi, root, stack, report } = recovery;
    releaseDeadLocks(locks, stack, report);
    const plugins = await endOrphanedPlugins(root);
    if (plugins > 0) {
        report(`Stopped ${plugins} plugins of a dead run`);
    }
    const releases = knownReleases(await exportState(recovery));
    if (releases.length > 0) {
        await freeReleases(recovery, releases);
    }
    // Checked again right before the write, to keep the interval between short.
    const state = await exportState(recovery);
    const pending = state.deployment.pending_operations ?? [];
    if (pending.length === 0) {
        return;
    }
    await pulumi(["stack", "import"], JSON.stringify(withoutPending(state)));
    for (const { type, resource } of pending) {
        report(`Forgotten: ${type} ${resource.urn.split("::").slice(2).join(" ")}, which was interrupted`);
    }
}
