import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import { readApplications } from "../../components/applications";
import { Backup, secretData } from "../../components/backup";
import { type BackupSettings, backupSchema, backupTargets, targetPeer } from "../../config/backup";
import { root } from "../../lib/root";
import { tool } from "../../toolchain/tools";
import type { Manifest } from "../charts/manifest";
import { Workspace } from "../charts/workspace";
import { mockEngine, settled } from "../unit/components/mocks";
import { ControlPlane } from "./control-plane";
import { Kubelet } from "./kubelet";

/** Objects that the library chart and the Pulumi program create for a home with copies. */
export async function manifests(charts: readonly string[], backup: BackupSettings): Promise<object[]> {
    const registered = await mockEngine();
    new Backup("backup", { root, applications: readApplications(root, "home"), backup, ownServers: false });
    await settled();
    const own = registered.filter(({ type }) => /:(Namespace|ConfigMap|CronJob|ServiceAccount)$/.test(type));
    const secret = (namespace: string) => ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "backup", namespace },
        stringData: secretData(backup),
    });
    const workspace = new Workspace("helm4");
    const { home, start, hours, startEmpty } = backup;
    const targets = backupTargets(backup);
    const names = targets.map(({ name }) => name);
    const egress = targets.map(targetPeer);
    const global = JSON.stringify({ home, targets: names, egress, start, hours, startEmpty });
    try {
        const rendered: Manifest[] = [];
        for (const chart of charts) {
            rendered.push(...(await workspace.render(chart, `--set-json=global.backup=${global}`)));
        }
        return [
            ...["backup", "apps", "platform", "infrastructure"].map((name) => ({
                apiVersion: "scheduling.k8s.io/v1",
                kind: "PriorityClass",
                metadata: { name },
                value: 1,
            })),
            ...own.map(({ type, inputs }) => ({
                apiVersion: type.includes("batch") ? "batch/v1" : "v1",
                kind: type.split(":").at(-1),
                ...inputs,
            })),
            ...[...charts, "argocd"].map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })),
            ...[...charts, "backup"].map(secret),
            ...rendered.filter(({ kind }) => kind !== "Ingress"),
        ];
    } finally {
        workspace.remove();
    }
}

/** The only part of Argo CD that the verbs use. */
const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "applications.argoproj.io" },
    spec: {
        group: "argoproj.io",
        names: { kind: "Application", plural: "applications", singular: "application" },
        scope: "Namespaced",
        versions: [
            {
                name: "v1alpha1",
                served: true,
                storage: true,
                schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
            },
        ],
    },
};

/** A service: a program with an SQLite database in /data. */
const service = [
    "sh",
    "-c",
    'sqlite3 /data/db.sqlite3 "create table if not exists notes(x)"; trap exit TERM; while :; do sleep 1; done',
];

/** kubectl for a cluster. */
export function kubectlAt({ kubeconfig }: ControlPlane): (args: readonly string[], input?: string) => string {
    return (args, input) =>
        execFileSync(tool("kubectl"), ["--kubeconfig", kubeconfig, ...args], { encoding: "utf8", input });
}

/**
 * A cluster with services that have backups, once they run. The caller removes kubelet and control plane.
 *
 * @param settings the stack's `hearth:backup`
 */
export async function startCluster(
    charts: readonly string[],
    settings: object,
): Promise<{ plane: ControlPlane; kubelet: Kubelet }> {
    const backup = { home: "home.example.com", ...backupSchema.parse(settings) } as BackupSettings;
    const plane = await ControlPlane.start();
    const kubelet = new Kubelet(plane, [dirname(tool("restic"))], () => service);
    await kubelet.start();
    const kubectl = kubectlAt(plane);
    kubectl(["apply", "--server-side", "--filename=-"], JSON.stringify(definition));
    kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd/applications.argoproj.io"]);
    const objects = [
        ...(await manifests(charts, backup)),
        ...charts.map((name) => ({
            apiVersion: "argoproj.io/v1alpha1",
            kind: "Application",
            metadata: { name, namespace: "argocd" },
        })),
    ];
    kubectl(["apply", "--server-side", "--filename=-"], objects.map((each) => JSON.stringify(each)).join("\n"));
    for (const chart of charts) {
        const path = `/apis/apps/v1/namespaces/${chart}/deployments/${chart}`;
        await plane.until(`${chart} runs`, async () => {
            const { status } = await plane.call<{ status?: { readyReplicas?: number } }>("GET", path);
            return status?.readyReplicas === 1;
        });
    }
    return { plane, kubelet };
}
