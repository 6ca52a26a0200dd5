import { eventSelectors, explainFailure, isReady, revisionOf, warningLines } from "../application-status";
import { failedContainerLines } from "../failed-containers";
import {
    type Client,
    fail,
    failIfCertificateIsRefused,
    type Instance,
    loadClient,
    loadKubeConfig,
    readInput,
    applicationResource as resource,
    type WaitInput,
} from "./cluster";
import { refreshAnnotation } from "./refresh";
import { type Application, isCommitSkipped } from "./skipped-commits";

/** Input of this wait. */
interface Input extends WaitInput {
    /** Names of the Applications. */
    readonly applications: readonly string[];
    /** Their place, for the message: "tier 2". */
    readonly where: string;
    /** Full hash of the commit that each has to be on. */
    readonly revision: string;
}

/** Failed containers and Kubernetes' warnings in a namespace. */
async function warningsIn({ CoreV1Api }: Client, config: Instance<"KubeConfig">, namespace: string): Promise<string[]> {
    const api = config.makeApiClient(CoreV1Api);
    const [pods, ...events] = await Promise.all([
        api.listNamespacedPod({ namespace }),
        ...eventSelectors.map((fieldSelector) => api.listNamespacedEvent({ namespace, fieldSelector })),
    ]);
    return [
        ...failedContainerLines(pods.items, namespace),
        ...warningLines(
            events.flatMap(({ items }) => items),
            namespace,
        ),
    ];
}

/** Waits until Applications are ready on a commit, after refreshing them; explains each that is not ready in time. */
export async function waitForApplications(): Promise<void> {
    const { kubeconfig, limit, applications, where, revision } = await readInput<Input>();
    const client = loadClient();
    const config = loadKubeConfig(client, kubeconfig);
    const api = config.makeApiClient(client.CustomObjectsApi);
    const path = `/apis/${resource.group}/${resource.version}/namespaces/${resource.namespace}/${resource.plural}`;
    const informer = client.makeInformer<Application>(config, path, () => api.listNamespacedCustomObject(resource));

    const patch = (name: string, body: object) =>
        api.patchNamespacedCustomObject(
            { ...resource, name, body },
            client.setHeaderOptions("Content-Type", client.PatchStrategy.MergePatch),
        );

    // Argo CD polls Git every few minutes; it removes the annotation after the refresh.
    const refreshed = new Set<string>();
    const refresh = async (name: string) => {
        refreshed.add(name);
        await patch(name, { metadata: { annotations: { [refreshAnnotation]: "normal" } } });
    };

    /** Like `argocd app sync`, unless the object was changed in between; once, whatever the result. */
    const synced = new Set<string>();
    const syncIfPassedOver = async (name: string, application: Application) => {
        if (!synced.has(name) && (await isCommitSkipped(application))) {
            const { automated, syncOptions, retry } = application.spec?.syncPolicy ?? {};
            await patch(name, {
                metadata: { resourceVersion: application.metadata?.resourceVersion },
                operation: {
                    initiatedBy: { username: "pulumi up" },
                    sync: { prune: automated?.prune ?? false, syncOptions },
                    retry,
                },
            });
            synced.add(name);
        }
    };

    const found = new Map<string, Application>();
    const late = () =>
        applications.filter((name) => {
            const { metadata, status } = found.get(name) ?? {};
            // An object that is being deleted keeps its last status.
            return metadata?.deletionTimestamp !== undefined || !isReady(status, revision);
        });
    const explain = async (name: string) => {
        const { metadata, status, spec } = found.get(name) ?? {};
        const warnings = await warningsIn(client, config, spec?.destination?.namespace ?? name).catch(() => []);
        const deleted = metadata?.deletionTimestamp;
        return explainFailure(name, where, status, warnings, deleted && new Date(deleted));
    };
    const look = (application: Application) => {
        const name = application.metadata?.name ?? "";
        found.set(name, application);
        const seen = revisionOf(application.status);
        const isWaitedFor = applications.includes(name);
        if (isWaitedFor && seen !== undefined && seen !== revision && !refreshed.has(name)) {
            refresh(name).catch(() => refreshed.delete(name));
        } else if (isWaitedFor && seen === revision) {
            syncIfPassedOver(name, application).catch(() => undefined);
        }
        if (late().length === 0) {
            process.exit(0);
        }
    };
    informer.on("add", look);
    informer.on("update", look);
    // The API server may be unreachable for a while: only the limit counts. Its certificate does not change.
    informer.on("error", (error) => {
        failIfCertificateIsRefused(error);
        setTimeout(() => informer.start().catch(() => undefined), 1_000);
    });
    setTimeout(async () => fail((await Promise.all(late().map(explain))).join("\n")), limit * 1_000);
    await informer.start();
}
