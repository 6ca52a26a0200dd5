import {
    CustomObjectsApi,
    type KubernetesObject,
    makeInformer,
    PatchStrategy,
    setHeaderOptions,
} from "@kubernetes/client-node";
import { type ApplicationStatus, explainFailure, isReady, revisionOf } from "../application-status.js";
import { fail, loadKubeConfig, readInput, type WaitInput } from "./cluster.mjs";

/** What this wait is told. */
interface Input extends WaitInput {
    /** Names of the Applications. */
    readonly applications: readonly string[];
    /** Where they stand, for the message: "tier 2". */
    readonly where: string;
    /** Full hash of the commit that each has to be on. */
    readonly revision: string;
}

interface Application extends KubernetesObject {
    readonly status?: ApplicationStatus;
}

/** Waits until Applications are ready on a commit, which it has Argo CD look for at once; says of each that is not in time why it is not. */
async function main(): Promise<void> {
    const { kubeconfig, limit, applications, where, revision } = await readInput<Input>();
    const config = loadKubeConfig(kubeconfig);
    const api = config.makeApiClient(CustomObjectsApi);
    const resource = { group: "argoproj.io", version: "v1alpha1", namespace: "argocd", plural: "applications" };
    const path = `/apis/${resource.group}/${resource.version}/namespaces/${resource.namespace}/${resource.plural}`;
    const informer = makeInformer<Application>(config, path, () => api.listNamespacedCustomObject(resource));

    // Argo CD polls Git every few minutes; it takes the annotation off when it has looked.
    const refreshed = new Set<string>();
    const refresh = async (name: string) => {
        refreshed.add(name);
        await api.patchNamespacedCustomObject(
            { ...resource, name, body: { metadata: { annotations: { "argocd.argoproj.io/refresh": "normal" } } } },
            setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
        );
    };

    const statuses = new Map<string, ApplicationStatus | undefined>();
    const late = () => applications.filter((name) => !isReady(statuses.get(name), revision));
    const look = ({ metadata, status }: Application) => {
        const name = metadata?.name ?? "";
        statuses.set(name, status);
        const seen = revisionOf(status);
        if (applications.includes(name) && seen !== undefined && seen !== revision && !refreshed.has(name)) {
            refresh(name).catch(() => refreshed.delete(name));
        }
        if (late().length === 0) {
            process.exit(0);
        }
    };
    informer.on("add", look);
    informer.on("update", look);
    // The API server may be away for a while: what counts is the limit.
    informer.on("error", () => setTimeout(() => informer.start().catch(() => undefined), 1_000));
    setTimeout(
        () =>
            fail(
                late()
                    .map((name) => explainFailure(name, where, statuses.get(name)))
                    .join("\n"),
            ),
        limit * 1_000,
    );
    await informer.start();
}

main().catch((error: unknown) => fail(`The Applications cannot be watched: ${error}`));
