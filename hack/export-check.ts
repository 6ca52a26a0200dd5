import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Warning } from "../components/application-status";
import type { Settings } from "../config/schema";
import { readYaml } from "../config/yaml";
import { Failure } from "../lib/failure";
import { root } from "../lib/root";
import { interruptionSignal, throwIfInterrupted } from "../lib/run";
import type { Kubectl } from "./kubectl";

/** Seconds for the pod, with the pull of its image; Kubernetes ends it then. */
const podLimit = 90;

/** Seconds until the check gives up on an API server that accepted the pod. */
const limit = podLimit + 30;

/** The operations of the CSI driver and the kubelet for a claim, as root: make a directory, and give it away. */
const script = `directory=$(mktemp -d /export/.hearth-XXXXXX) && trap 'rmdir "$directory"' EXIT && chown 1000:1000 "$directory"`;

/** Pod that tries an export. */
export function exportPod(name: string, { server, path }: NonNullable<Settings["nfs"]>) {
    const { repository, tag } = Object(readYaml(readFileSync(join(root, "charts/cert-manager/values.yaml"), "utf8")))
        .workloads.ca.image;
    return {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name },
        spec: {
            restartPolicy: "Never",
            activeDeadlineSeconds: podLimit,
            automountServiceAccountToken: false,
            containers: [
                {
                    name: "export",
                    image: `${repository}:${tag}`,
                    command: ["sh", "-c", script],
                    securityContext: { runAsUser: 0, allowPrivilegeEscalation: false },
                    resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "64Mi" } },
                    terminationMessagePolicy: "FallbackToLogsOnError",
                    volumeMounts: [{ name: "export", mountPath: "/export" }],
                },
            ],
            volumes: [{ name: "export", nfs: { server, path } }],
        },
    };
}

/** State of the pod that the check evaluates. */
export interface PodState {
    readonly status?: {
        readonly phase?: string;
        readonly containerStatuses?: readonly {
            readonly state?: { readonly terminated?: { readonly message?: string } };
        }[];
    };
}

/**
 * Evaluates the pod that tried an export.
 *
 * @param warnings of the pod
 * @returns undefined while it runs @throws Failure with the operation that the export rejects, or the reason why it was
 * not tried
 */
export function judgeExport({ status = {} }: PodState, warnings: readonly Warning[]): string | undefined {
    const { phase, containerStatuses = [] } = status;
    if (phase === "Succeeded") {
        return "root may create directories on the export and change their owner";
    }
    if (phase !== "Failed") {
        return undefined;
    }
    const said = containerStatuses.flatMap(({ state }) => state?.terminated?.message?.trim() ?? []).join("; ");
    if (said !== "") {
        throw new Failure(`root may not write to the export: ${said}`);
    }
    const reason = warnings.at(-1)?.message ?? "its pod did not start in time";
    throw new Failure(`the export was not tried: ${reason.replace(/\s+/g, " ").trim()}`);
}

/**
 * Tries the home's export from a node, with a pod that lasts seconds: before the first `pulumi up`, nothing else
 * detects a server that maps root to nobody.
 *
 * @throws Failure as {@link judgeExport}
 */
export async function tryExport(kubectl: Kubectl, nfs: NonNullable<Settings["nfs"]>): Promise<string> {
    const name = `hearth-export-${randomBytes(4).toString("hex")}`;
    const pod = ["pod", name, "--namespace", "default"];
    const events = ["--namespace", "default", "--field-selector", `type=Warning,involvedObject.name=${name}`];
    await kubectl.run(["create", "--namespace", "default", "--filename", "-"], JSON.stringify(exportPod(name, nfs)));
    try {
        for (const end = Date.now() + limit * 1_000; Date.now() < end; ) {
            const state: PodState = JSON.parse(await kubectl.run(["get", ...pod, "--output", "json"]));
            const found = judgeExport(state, await kubectl.list<Warning>("events", ...events));
            if (found !== undefined) {
                return found;
            }
            await setTimeout(1_000, undefined, { signal: interruptionSignal }).catch(throwIfInterrupted);
        }
        throw new Failure(`the export was not tried: its pod has not ended after ${limit} s`);
    } finally {
        await kubectl.run(["delete", ...pod, "--ignore-not-found", "--wait=false"]);
    }
}
