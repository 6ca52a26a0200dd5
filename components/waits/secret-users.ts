import { createHash } from "node:crypto";
import { type KeyChange, keysUsed, observedChanges } from "../secret-changes";
import { type Client, fail, type Instance, loadClient, loadKubeConfig, readInput, type WaitInput } from "./cluster";

/** Input of this wait. */
interface Input extends WaitInput {
    /** The Secrets, in an order in which each comes after those whose values it includes. */
    readonly secrets: readonly { readonly namespace: string; readonly name: string }[];
}

/**
 * Recorded on the Secret itself: the values that every consumer runs with, and the consumers that have yet to restart.
 */
const record = "hearth/changed";
const fieldManager = "hearth-secret-users";

const digest = (value: string) => createHash("sha256").update(value).digest("hex").slice(0, 16);

/** Time of the last change of a Secret's values, by the API server's clock, in milliseconds since 1970. */
function changed({ metadata }: Instance<"V1Secret">): number {
    const others = (metadata?.managedFields ?? []).filter(({ manager }) => manager !== fieldManager);
    return Math.max(...others.map(({ time }) => Number(time)), Number(metadata?.creationTimestamp));
}

/** Consumers of Secrets in one namespace. */
class SecretUsers {
    private readonly core: Instance<"CoreV1Api">;
    private readonly apps: Instance<"AppsV1Api">;
    private readonly batch: Instance<"BatchV1Api">;
    private readonly mergePatch: ReturnType<Client["setHeaderOptions"]>;

    constructor(
        client: Client,
        config: Instance<"KubeConfig">,
        private readonly namespace: string,
        private readonly end: number,
    ) {
        this.core = config.makeApiClient(client.CoreV1Api);
        this.apps = config.makeApiClient(client.AppsV1Api);
        this.batch = config.makeApiClient(client.BatchV1Api);
        this.mergePatch = client.setHeaderOptions("Content-Type", client.PatchStrategy.MergePatch);
    }

    /** Restarts consumers that still run with old values of a Secret, and waits until they run with the new ones. */
    async renew(name: string): Promise<void> {
        const { namespace } = this;
        const secret = await this.core.readNamespacedSecret({ name, namespace });
        const before = secret.metadata?.annotations?.[record];
        const digests = Object.fromEntries(
            Object.entries(secret.data ?? {}).map(([key, value]) => [key, digest(value)]),
        );
        const changes = observedChanges(
            before === undefined ? undefined : JSON.parse(before),
            digests,
            changed(secret),
        );
        await this.remember(name, before, changes);
        if (Object.values(changes).every(({ time }) => time === 0)) {
            return;
        }
        const since = (spec: Instance<"V1PodSpec"> | undefined) =>
            Math.max(0, ...keysUsed(spec, name, Object.keys(changes)).map((key) => changes[key]?.time ?? 0));
        // Long-running workloads first: a Job may need a server that has its new password.
        await Promise.all((await this.workloads()).map((each) => this.restart(each, since(each.template.spec))));
        const { items: jobs } = await this.batch.listNamespacedJob({ namespace });
        const late = jobs.filter(
            ({ metadata, spec }) =>
                !metadata?.ownerReferences?.length && Number(metadata?.creationTimestamp) <= since(spec?.template.spec),
        );
        await Promise.all(late.map((job) => this.runAgain(job, since(job.spec?.template.spec))));
        const done = Object.entries(changes).map(([key, change]) => [key, { ...change, time: 0 }]);
        await this.remember(name, JSON.stringify(changes), Object.fromEntries(done));
    }

    /** Records the state of a Secret, from which the next run continues after an interruption. */
    private async remember(
        name: string,
        before: string | undefined,
        changes: Record<string, KeyChange>,
    ): Promise<void> {
        const annotation = JSON.stringify(changes);
        if (annotation !== before) {
            const body = { metadata: { annotations: { [record]: annotation } } };
            await this.core.patchNamespacedSecret(
                { name, namespace: this.namespace, body, fieldManager },
                this.mergePatch,
            );
        }
    }

    private async workloads() {
        const { namespace } = this;
        const [deployments, statefulSets, daemonSets] = await Promise.all([
            this.apps.listNamespacedDeployment({ namespace }),
            this.apps.listNamespacedStatefulSet({ namespace }),
            this.apps.listNamespacedDaemonSet({ namespace }),
        ]);
        const common = ({
            metadata,
            spec,
        }: (typeof deployments | typeof statefulSets | typeof daemonSets)["items"][number]) => ({
            name: metadata?.name ?? "",
            template: spec?.template ?? ({} as Instance<"V1PodTemplateSpec">),
            selector: Object.entries(spec?.selector.matchLabels ?? {})
                .map(([key, value]) => `${key}=${value}`)
                .join(","),
        });
        return [
            ...deployments.items.map((each) => ({ kind: "deployments" as const, ...common(each) })),
            ...statefulSets.items.map((each) => ({ kind: "statefulsets" as const, ...common(each) })),
            ...daemonSets.items.map((each) => ({ kind: "daemonsets" as const, ...common(each) })),
        ];
    }

    /** Metadata of a workload's pods. */
    private async pods(labelSelector: string) {
        const { items } = await this.core.listNamespacedPod({ namespace: this.namespace, labelSelector });
        return items.map(({ metadata }) => metadata);
    }

    /** As `kubectl rollout restart` does it. */
    private async restart(
        { kind, name, selector }: Awaited<ReturnType<SecretUsers["workloads"]>>[number],
        since: number,
    ): Promise<void> {
        if (since === 0) {
            return;
        }
        // Kubernetes records whole seconds, so a replacement can have the time of the change: pods are identified by their UID.
        const old = (await this.pods(selector)).filter((pod) => Number(pod?.creationTimestamp) <= since);
        const uids = new Set(old.map((pod) => pod?.uid));
        if (uids.size === 0) {
            return;
        }
        const { namespace, apps } = this;
        const annotations = { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() };
        const request = { name, namespace, fieldManager, body: { spec: { template: { metadata: { annotations } } } } };
        await {
            deployments: () => apps.patchNamespacedDeployment(request, this.mergePatch),
            statefulsets: () => apps.patchNamespacedStatefulSet(request, this.mergePatch),
            daemonsets: () => apps.patchNamespacedDaemonSet(request, this.mergePatch),
        }[kind]();
        await this.until(
            async () => !(await this.pods(selector)).some((pod) => uids.has(pod?.uid)),
            () => `${kind}/${name} in namespace ${namespace} still runs with the old values of its secrets`,
        );
    }

    /** Jobs run once, so a copy runs with the new values and is deleted after an hour. */
    private async runAgain(job: Instance<"V1Job">, since: number): Promise<void> {
        const { namespace, batch } = this;
        const { name = "", uid = "" } = job.metadata ?? {};
        const again = `${name.slice(0, 50)}-${digest(`${uid} ${since}`).slice(0, 8)}`;
        const { selector: _, manualSelector: __, template, ...spec } = job.spec ?? { template: {} };
        const labels = Object.fromEntries(
            Object.entries(template.metadata?.labels ?? {}).filter(
                ([key]) => !/(^|\/)(controller-uid|job-name)$/.test(key),
            ),
        );
        const body: Instance<"V1Job"> = {
            apiVersion: "batch/v1",
            kind: "Job",
            metadata: {
                name: again,
                namespace,
                labels: job.metadata?.labels,
                ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name, uid }],
            },
            spec: {
                ...spec,
                ttlSecondsAfterFinished: 3600,
                template: { ...template, metadata: { ...template.metadata, labels } },
            },
        };
        await batch.createNamespacedJob({ namespace, body, fieldManager }).catch((error: { code?: number }) => {
            // An earlier run started it.
            if (error.code !== 409) {
                throw error;
            }
        });
        await this.until(
            async () => {
                const { status } = await batch.readNamespacedJob({ name: again, namespace });
                if (status?.conditions?.some(({ type, status: state }) => type === "Failed" && state === "True")) {
                    fail(
                        `Job ${again} in namespace ${namespace} failed: it is a rerun of ${name}, since its ` +
                            `secrets changed. Inspect it with:\n  kubectl -n ${namespace} logs job/${again}`,
                    );
                }
                return (status?.succeeded ?? 0) > 0;
            },
            () => `Job ${again} in namespace ${namespace} is not complete: it is a rerun of ${name} with new secrets`,
        );
    }

    private async until(condition: () => Promise<boolean>, late: () => string): Promise<void> {
        while (!(await condition())) {
            if (Date.now() > this.end) {
                fail(`${late()}. Inspect it with:\n  kubectl -n ${this.namespace} get pods,events`);
            }
            await new Promise((resolve) => setTimeout(resolve, 500));
        }
    }
}

/**
 * Makes pods use the current values of Secrets: restarts only workloads that use a key that changed after their pods
 * started.
 */
export async function restartSecretUsers(): Promise<void> {
    const { kubeconfig, limit, secrets } = await readInput<Input>();
    const client = loadClient();
    const config = loadKubeConfig(client, kubeconfig);
    const end = Date.now() + limit * 1_000;
    for (const { namespace, name } of secrets) {
        await new SecretUsers(client, config, namespace, end).renew(name);
    }
}
