/** Fields of a resource in an exported state that a recovery reads. */
export interface StateResource {
    readonly urn: string;
    readonly type: string;
    readonly inputs?: Readonly<Record<string, unknown>>;
    readonly outputs?: Readonly<Record<string, unknown>>;
    /** URN of its provider, `::` and the provider's id. */
    readonly provider?: string;
}

/** Output of `pulumi stack export`. */
export interface ExportedState {
    readonly deployment: {
        readonly resources?: readonly StateResource[];
        /** Operations that were in progress when the run was killed. */
        readonly pending_operations?: readonly { readonly type: string; readonly resource: StateResource }[];
    };
}

/** A Helm release in the state or in a pending operation. */
export interface KnownRelease {
    readonly namespace: string;
    readonly name: string;
    /** False if it was being created: it is not in the state yet. */
    readonly inState: boolean;
}

/** The type of a Helm release. */
export const releaseType = "kubernetes:helm.sh/v3:Release";

/** The state without pending operations. */
export function withoutPending(state: ExportedState): ExportedState {
    const { pending_operations: _, ...deployment } = state.deployment;
    return { ...state, deployment };
}

/** The URN of the provider in a resource's reference to it. */
function providerUrn({ provider = "" }: StateResource): string {
    return provider.split("::").slice(0, -1).join("::");
}

/** A {@link KnownRelease} of a state, with the cluster that it is in. */
export interface StateRelease extends KnownRelease {
    /** URN of the provider whose cluster it is in. */
    readonly provider: string;
}

/** Every Helm release of the stack: those in the state, and those that were being created when the run was killed. */
export function knownReleases({ deployment }: ExportedState): StateRelease[] {
    const resources = (deployment.resources ?? []).filter(({ type }) => type === releaseType);
    const known = new Set(resources.map(({ urn }) => urn));
    const created = (deployment.pending_operations ?? [])
        .filter(
            ({ type, resource }) => type === "creating" && resource.type === releaseType && !known.has(resource.urn),
        )
        .map(({ resource }) => resource);
    return [...resources, ...created].map((resource) => ({
        namespace: String(resource.inputs?.["namespace"] ?? "default"),
        name: String(resource.inputs?.["name"] ?? ""),
        provider: providerUrn(resource),
        inState: known.has(resource.urn),
    }));
}

/** Form of a secret in an export with `--show-secrets`. */
function reveal(value: unknown): unknown {
    if (typeof value === "object" && value !== null && "plaintext" in value) {
        return JSON.parse(String(value.plaintext));
    }
    return value;
}

/**
 * The kubeconfig of a kubernetes provider, by path or by contents, from the state: also in the first run, which has no
 * outputs yet.
 *
 * @param state exported with its secrets
 */
export function kubeconfigOf({ deployment }: ExportedState, provider: string): string | undefined {
    const kubeconfig = reveal(deployment.resources?.find(({ urn }) => urn === provider)?.inputs?.["kubeconfig"]);
    return typeof kubeconfig === "string" && kubeconfig !== "" ? kubeconfig : undefined;
}
