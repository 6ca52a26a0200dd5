import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { writeFileAtomically } from "./files";
import { ownTool } from "./links";
import type { SandboxPaths } from "./paths";
import type { SandboxSettings } from "./settings";

/** Name of the cluster for kwokctl. */
export const clusterName = "hearth";

/** The ranges that k3s uses; kwokctl's own Service range is full after 254 Services. */
const ranges = { services: "10.43.0.0/16", pods: "10.42.0.0/16" };

/** Each runs once: without this, a restarted one waits 20 s for its predecessor's lease. */
const alone = { "leader-elect": "false" };

/** kwokctl's folder of the cluster. */
export function clusterDirectory(paths: SandboxPaths): string {
    return join(paths.kwok, "clusters", clusterName);
}

/** kwokctl's options for the ports of a control plane. */
export const portOptions = [
    "etcdPort",
    "etcdPeerPort",
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
] as const;

/**
 * Writes kwokctl's configuration, which replaces a user's own, and returns its path.
 *
 * @param ports of a new cluster; an existing one keeps its own
 */
export function writeKwokConfig(
    paths: SandboxPaths,
    { gitea, gitPort }: SandboxSettings,
    ports?: Readonly<Record<(typeof portOptions)[number], number>>,
): string {
    const path = join(paths.directory, "kwok.yaml");
    const extraArgs = (values: Record<string, string>) =>
        Object.entries(values).map(([key, value]) => ({ key, value, override: false }));
    const cluster = {
        apiVersion: "config.kwok.x-k8s.io/v1alpha1",
        kind: "KwokctlConfiguration",
        options: {
            runtime: "binary",
            // etcd and kwok require no password.
            bindAddress: "127.0.0.1",
            ...ports,
            disableQPSLimits: true,
            // A restarted kwok simulates no pod until its predecessor's leases have expired: five times this.
            nodeLeaseDurationSeconds: 4,
            etcdBinary: ownTool(paths, "etcd"),
            kubeApiserverBinary: ownTool(paths, "kube-apiserver"),
            kubeControllerManagerBinary: ownTool(paths, "kube-controller-manager"),
            kubeSchedulerBinary: ownTool(paths, "kube-scheduler"),
            kwokControllerBinary: ownTool(paths, "kwok"),
        },
        componentsPatches: [
            // A write does not wait for the disk. The page cache survives a killed etcd; only a power failure loses data.
            { name: "etcd", extraArgs: extraArgs({ "unsafe-no-fsync": "true" }) },
            {
                name: "kube-apiserver",
                extraArgs: extraArgs({
                    "service-cluster-ip-range": ranges.services,
                    // The server's in manifests/nodes.yaml. Not detected: a machine without a network has none.
                    "advertise-address": "10.20.0.11",
                    // Address of kwok, which replaces the kubelets.
                    "kubelet-preferred-address-types": "InternalDNS",
                    // Service addresses are not routed here: the API server connects to endpoints.
                    "egress-selector-config-file": paths.egress,
                    "enable-aggregator-routing": "true",
                }),
            },
            {
                name: "kube-controller-manager",
                extraArgs: extraArgs({
                    "service-cluster-ip-range": ranges.services,
                    "cluster-cidr": ranges.pods,
                    "allocate-node-cidrs": "true",
                    ...alone,
                }),
            },
            { name: "kube-scheduler", extraArgs: extraArgs(alone) },
        ],
    };
    // The pod of Gitea is ready when the process that the sandbox runs instead of it answers.
    const forward = {
        apiVersion: "kwok.x-k8s.io/v1alpha1",
        kind: "ClusterPortForward",
        metadata: { name: "gitea" },
        spec: {
            selector: { matchNamespaces: ["gitops"], matchNames: ["gitea-0"] },
            forwards: [{ ports: [3000], target: { address: "127.0.0.1", port: gitPort } }],
        },
    };
    const documents = [cluster, ...(gitea === "in the cluster" ? [forward] : [])];
    writeFileAtomically(path, documents.map((each) => stringify(each)).join("---\n"));
    return path;
}

/** Writes the kubeconfig with embedded certificates, so that it can be passed to Pulumi or copied elsewhere. */
export function writeKubeconfig(paths: SandboxPaths): void {
    const directory = clusterDirectory(paths);
    const encoded = (file: string) => readFileSync(join(directory, "pki", file)).toString("base64");
    const { clusters } = parse(readFileSync(join(directory, "kubeconfig.yaml"), "utf8"));
    const name = "hearth-sandbox";
    const content = {
        apiVersion: "v1",
        kind: "Config",
        "current-context": name,
        contexts: [{ name, context: { cluster: name, user: name } }],
        clusters: [
            {
                name,
                cluster: {
                    server: clusters[0].cluster.server,
                    "certificate-authority-data": encoded("ca.crt"),
                },
            },
        ],
        users: [
            {
                name,
                user: {
                    "client-certificate-data": encoded("admin.crt"),
                    "client-key-data": encoded("admin.key"),
                },
            },
        ],
    };
    writeFileAtomically(paths.kubeconfig, stringify(content, { lineWidth: 0 }));
}
