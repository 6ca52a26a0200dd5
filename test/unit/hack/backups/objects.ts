import type { CronJob, Pod, Workload } from "../../../../hack/backups/objects";
import type { Result } from "../../../../hack/backups/results";

/** A CronJob of backups, as the library chart renders it. */
export function cronJob(
    work: string,
    claim: string,
    status: CronJob["status"] = {},
    namespace = "vaultwarden",
): CronJob {
    const labels = { "hearth/backup": work, "hearth/claim": claim, "app.kubernetes.io/part-of": namespace };
    const volumes = [{ persistentVolumeClaim: { claimName: claim } }];
    const spec = { initContainers: [{ name: "restore" }], containers: [{ name: "swap" }], volumes };
    return {
        metadata: { name: `${claim}-${work}`, namespace, labels },
        spec: {
            suspend: work === "restore",
            jobTemplate: { metadata: { labels }, spec: { template: { metadata: { labels }, spec } } },
        },
        status,
    };
}

/** A pod of backups that has ended with a result. */
export function ended(work: string, claim: string, result: Partial<Result>, namespace = "vaultwarden"): Pod {
    const message = JSON.stringify({ hearth: work, time: "2026-11-29T03:12:09Z", ok: true, ...result });
    return {
        metadata: {
            name: `${claim}-${work}-1-x`,
            namespace,
            labels: { "hearth/backup": work, "hearth/claim": claim },
        },
        status: {
            phase: result.ok === false ? "Failed" : "Succeeded",
            containerStatuses: [{ name: work, state: { terminated: { exitCode: 0, message } } }],
        },
    };
}

/** A workload that mounts a claim. */
export function workload(kind: string, name: string, claim: string, replicas = 1): Workload {
    return {
        kind,
        metadata: { name, namespace: "vaultwarden" },
        spec: {
            replicas,
            selector: { matchLabels: { "app.kubernetes.io/name": name } },
            template: { spec: { volumes: [{ persistentVolumeClaim: { claimName: claim } }] } },
        },
    };
}

/** A running pod that mounts a claim. */
export function running(name: string, claim: string, labels: Record<string, string>): Pod {
    return {
        metadata: { name, namespace: "vaultwarden", labels },
        spec: { volumes: [{ persistentVolumeClaim: { claimName: claim } }] },
        status: { phase: "Running" },
    };
}
