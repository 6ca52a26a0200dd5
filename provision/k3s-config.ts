import { stringify } from "yaml";
import type { NodeSettings } from "../config/nodes";

/** What a node's k3s is told beyond the node's own settings. */
export interface K3sMembership {
    /** `first` starts the cluster, the others join it. */
    readonly part: "first" | "server" | "agent";
    /** Token to join with: in its short form for the first server, in the full form with the CA's hash for all others. */
    readonly token: string;
    /** Token that agents join with, in its short form; servers only. */
    readonly agentToken?: string;
    /** Host name or address of the API server, under which the others join. */
    readonly api: string;
    /** Addresses of all servers. */
    readonly servers: readonly string[];
}

const folder = "/etc/rancher/k3s";

/** Who did what, without the contents of Secrets; reads and the cluster's own chatter are left out. */
const auditPolicy = {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [
        { level: "None", users: ["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"] },
        { level: "None", userGroups: ["system:nodes"] },
        { level: "None", nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version"] },
        { level: "None", resources: [{ group: "coordination.k8s.io", resources: ["leases"] }] },
        { level: "None", resources: [{ group: "", resources: ["events"] }] },
        {
            level: "Metadata",
            resources: [{ group: "", resources: ["secrets", "configmaps", "serviceaccounts/token"] }],
        },
        { level: "None", verbs: ["get", "list", "watch"] },
        { level: "Metadata" },
    ],
};

/** A namespace that says nothing gets the baseline level; the cluster's own may do what they must. */
const podSecurity = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AdmissionConfiguration",
    plugins: [
        {
            name: "PodSecurity",
            configuration: {
                apiVersion: "pod-security.admission.config.k8s.io/v1",
                kind: "PodSecurityConfiguration",
                defaults: {
                    enforce: "baseline",
                    "enforce-version": "latest",
                    audit: "restricted",
                    "audit-version": "latest",
                    warn: "restricted",
                    "warn-version": "latest",
                },
                exemptions: { usernames: [], runtimeClasses: [], namespaces: ["kube-system"] },
            },
        },
    ],
};

/** Text of the audit policy, /etc/rancher/k3s/audit-policy.yaml. */
export const auditPolicyText = stringify(auditPolicy);

/** Text of the admission configuration, /etc/rancher/k3s/pod-security.yaml. */
export const podSecurityText = stringify(podSecurity);

/** What /etc/rancher/k3s/config.yaml has for the moment when the node registers; later, member.sh sets what changes. */
export function registrationConfig({ taints }: NodeSettings): string {
    return taints.length > 0 ? stringify({ "node-taint": taints }) : "";
}

/** Text of a node's /etc/rancher/k3s/config.yaml, without what is for its registration only. */
export function k3sConfig(node: NodeSettings, { part, token, agentToken, api, servers }: K3sMembership): string {
    const common = {
        "node-name": node.name,
        "node-ip": node.address,
        "protect-kernel-defaults": true,
        token,
        ...(part === "first" ? {} : { server: `https://${api}:6443` }),
    };
    if (part === "agent") {
        return stringify(common);
    }
    return stringify({
        ...common,
        // Embedded etcd from the start, which a second and a third server can join later.
        ...(part === "first" ? { "cluster-init": true } : {}),
        "agent-token": agentToken,
        "tls-san": [...new Set([api, ...servers])],
        "write-kubeconfig-mode": "0600",
        "secrets-encryption": true,
        disable: ["servicelb"],
        "etcd-snapshot-schedule-cron": "0 */6 * * *",
        "etcd-snapshot-retention": 28,
        "kube-apiserver-arg": [
            `admission-control-config-file=${folder}/pod-security.yaml`,
            `audit-policy-file=${folder}/audit-policy.yaml`,
            "audit-log-path=/var/lib/rancher/k3s/server/logs/audit.log",
            "audit-log-maxage=30",
            "audit-log-maxbackup=10",
            "audit-log-maxsize=100",
            "request-timeout=300s",
        ],
        "kube-controller-manager-arg": ["terminated-pod-gc-threshold=100"],
        "kubelet-arg": ["streaming-connection-idle-timeout=5m"],
    });
}
