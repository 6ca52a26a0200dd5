import type { K3sSettings, NodeSettings } from "../config/nodes";
import { toYaml } from "../config/yaml";

/** Facts about the cluster that a node's configuration of k3s needs. */
export interface K3sMembership {
    /** Address of the first server, at which other servers join; undefined for the first server itself. */
    readonly joins?: string;
    /** Host name or address of the API server. */
    readonly api: string;
    /** Join token: short form for the first server, full form with the CA's hash for all others. */
    readonly token: string;
    /** True if the token is valid once: it is then only used at registration. */
    readonly temporary?: boolean;
    /** Token that agents join with, in its short form. */
    readonly agentToken: string;
    /** The home's own settings of k3s. */
    readonly settings: K3sSettings;
}

const folder = "/etc/rancher/k3s";

/** Audit policy: all changes, without the contents of Secrets; reads and the cluster's own requests are left out. */
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

/** A namespace without labels gets the baseline level; the cluster's own are exempt. */
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
export const auditPolicyText = toYaml(auditPolicy);

/** Text of the admission configuration, /etc/rancher/k3s/pod-security.yaml. */
export const podSecurityText = toYaml(podSecurity);

/**
 * Appends the values of a home's own argument to the program's where both are lists; otherwise the program's value
 * stays.
 */
function merged(ours: Readonly<Record<string, unknown>>, own: K3sSettings["server"]): Record<string, unknown> {
    const lists = Object.entries(own).map(([key, value]) => {
        const before = ours[key];
        return [key, Array.isArray(before) ? [...before, ...[value].flat()] : value];
    });
    return { ...ours, ...Object.fromEntries(lists) };
}

/**
 * Lines of /etc/rancher/k3s/config.yaml that only matter at a node's registration. A change needs no restart of k3s:
 * member.sh keeps taints, and a server that has a datastore reads neither the address nor the token to join by.
 */
export function registrationConfig({ role, taints }: NodeSettings, { joins, token, temporary }: K3sMembership): string {
    const join = joins === undefined ? { "cluster-init": true } : { server: `https://${joins}:6443` };
    const lines = {
        ...(role === "server" ? { token, ...join } : {}),
        ...(temporary ? { token } : {}),
        ...(taints.length > 0 ? { "node-taint": taints } : {}),
    };
    return Object.keys(lines).length > 0 ? toYaml(lines) : "";
}

/** Lines for snapshots of the datastore; on the server's own disk, and in a bucket where the home has one. */
function snapshotConfig({ schedule, retention, s3 }: K3sSettings["snapshots"]): Record<string, unknown> {
    const local = { "etcd-snapshot-schedule-cron": schedule, "etcd-snapshot-retention": retention };
    if (s3 === undefined) {
        return local;
    }
    return {
        ...local,
        "etcd-s3": true,
        "etcd-s3-endpoint": s3.endpoint,
        "etcd-s3-bucket": s3.bucket,
        "etcd-s3-folder": s3.folder,
        "etcd-s3-region": s3.region,
        "etcd-s3-access-key": s3.accessKey,
        "etcd-s3-secret-key": s3.secretKey,
        "etcd-s3-insecure": s3.insecure,
    };
}

/** Text of a node's /etc/rancher/k3s/config.yaml without {@link registrationConfig}; a change restarts k3s. */
export function k3sConfig(node: NodeSettings, membership: K3sMembership): string {
    const { api, token, temporary, agentToken, settings } = membership;
    const common = { "node-name": node.name, "node-ip": node.address, "protect-kernel-defaults": true };
    if (node.role === "agent") {
        const joins = { ...(temporary ? {} : { token }), server: `https://${api}:6443` };
        return toYaml(merged({ ...common, ...joins }, settings.agent));
    }
    const server = {
        ...common,
        "agent-token": agentToken,
        // k3s adds each server's own addresses. Listing them here would restart every server for each new one.
        "tls-san": [api],
        "cluster-cidr": settings.clusterCidr,
        "service-cidr": settings.serviceCidr,
        "write-kubeconfig-mode": "0600",
        "secrets-encryption": true,
        disable: ["servicelb"],
        ...snapshotConfig(settings.snapshots),
        ...(settings.embeddedRegistry ? { "embedded-registry": true } : {}),
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
    };
    return toYaml(merged(server, settings.server));
}
