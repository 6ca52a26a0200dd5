import * as pulumi from "@pulumi/pulumi";

/** The parts of an Application's status that say why it is not ready. https://argo-cd.readthedocs.io */
export interface ApplicationStatus {
    readonly sync?: { readonly status?: string; readonly revision?: string; readonly revisions?: readonly string[] };
    readonly health?: { readonly status?: string; readonly message?: string };
    readonly operationState?: { readonly phase?: string; readonly message?: string; readonly retryCount?: number };
    readonly conditions?: readonly { readonly type: string; readonly message: string }[];
    readonly resources?: readonly {
        readonly kind: string;
        readonly name: string;
        readonly status?: string;
        readonly health?: { readonly status?: string; readonly message?: string };
    }[];
}

/**
 * Why an Application is not Synced and Healthy, for a person, with what to look at next.
 *
 * @param name of the Application
 * @param where it stands, for instance "tier 2"
 * @param status the Application's status; undefined when Argo CD has not looked at it
 */
export function explainFailure(name: string, where: string, status: ApplicationStatus | undefined): string {
    const { sync, health, operationState: operation, conditions = [], resources = [] } = status ?? {};
    const revision = (sync?.revisions?.[0] ?? sync?.revision)?.slice(0, 7);
    const reasons = [
        ...(status === undefined ? ["Argo CD has not looked at it: is its application controller running?"] : []),
        ...(health?.message ? [`health: ${health.message}`] : []),
        ...(operation?.phase && operation.phase !== "Succeeded"
            ? [`last sync ${operation.phase}: ${operation.message ?? "no message"}`]
            : []),
        ...conditions.map(({ type, message }) => `${type}: ${message}`),
        ...resources
            .filter((resource) => !["Healthy", undefined].includes(resource.health?.status))
            .map(
                ({ kind, name, health }) => `${kind} ${name} is ${health?.status}: ${health?.message ?? "no message"}`,
            ),
        ...resources
            .filter((resource) => resource.status === "OutOfSync")
            .map(({ kind, name }) => `${kind} ${name} is OutOfSync`),
    ];
    return [
        `Application ${name} (${where}) did not become Synced and Healthy in time: ` +
            `sync ${sync?.status ?? "Unknown"}${revision ? ` at ${revision}` : ""}, health ${health?.status ?? "Unknown"}.`,
        ...[...new Set(reasons)].map((reason) => `  ${reason}`),
        "Nothing after it was started and nothing was rolled back. Look with:",
        `  kubectl -n argocd describe application ${name}`,
        "Push the fix and run `pulumi up` again: it goes on from here.",
    ].join("\n");
}

async function readStatus(kubeconfig: string, name: string): Promise<ApplicationStatus | undefined> {
    // Loaded on failure only: it costs every other run a third of a second.
    const { CustomObjectsApi, KubeConfig } = await import("@kubernetes/client-node");
    const config = new KubeConfig();
    if (kubeconfig.includes("\n")) {
        config.loadFromString(kubeconfig);
    } else {
        config.loadFromFile(kubeconfig);
    }
    const application = await config.makeApiClient(CustomObjectsApi).getNamespacedCustomObject({
        group: "argoproj.io",
        version: "v1alpha1",
        namespace: "argocd",
        plural: "applications",
        name,
    });
    return application.status;
}

/**
 * A hook that says why an Application did not become ready. It asks for no retry: the wait was long enough.
 *
 * @param hook unique name of the hook
 * @param where the Application stands, for instance "tier 2"
 * @param kubeconfig path or contents
 */
export function reportFailure(hook: string, where: string, kubeconfig: pulumi.Input<string>): pulumi.ErrorHook {
    const resolved = pulumi.output(kubeconfig);
    return new pulumi.ErrorHook(hook, async ({ newInputs }) => {
        const name: string = newInputs?.metadata?.name ?? "";
        const explanation = new Promise<string>((resolve) => {
            resolved.apply((value) =>
                readStatus(value, name).then(
                    (status) => resolve(explainFailure(name, where, status)),
                    (error: unknown) =>
                        resolve(`Application ${name} (${where}) failed, and the cluster does not say why: ${error}`),
                ),
            );
        });
        await pulumi.log.error(await explanation);
        return false;
    });
}
