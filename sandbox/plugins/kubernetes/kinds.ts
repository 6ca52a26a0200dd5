import { formatApiVersion, type GroupVersionKind, parseApiVersion } from "./objects";

// The API groups that are Kubernetes' own. Objects of others are custom resources, and left as they are written.
const knownApiVersions = new Set([
    "v1",
    "core/v1",
    "meta/v1",
    ...[
        "admissionregistration.k8s.io v1 v1alpha1 v1beta1",
        "apiextensions.k8s.io v1 v1beta1",
        "apiregistration.k8s.io v1 v1beta1",
        "apps v1 v1beta1 v1beta2",
        "auditregistration.k8s.io v1alpha1",
        "autoscaling v1 v2 v2beta1 v2beta2",
        "batch v1 v1beta1 v2alpha1",
        "certificates.k8s.io v1 v1alpha1 v1beta1",
        "coordination.k8s.io v1 v1alpha1 v1alpha2 v1beta1",
        "discovery.k8s.io v1 v1beta1",
        "events.k8s.io v1 v1beta1",
        "extensions v1beta1",
        "flowcontrol.apiserver.k8s.io v1 v1alpha1 v1beta1 v1beta2 v1beta3",
        "networking.k8s.io v1 v1alpha1 v1beta1",
        "node.k8s.io v1 v1alpha1 v1beta1",
        "policy v1 v1beta1",
        "rbac.authorization.k8s.io v1 v1alpha1 v1beta1",
        "resource.k8s.io v1 v1alpha1 v1alpha2 v1alpha3 v1beta1 v1beta2",
        "scheduling.k8s.io v1 v1alpha1 v1alpha2 v1beta1",
        "settings.k8s.io v1alpha1",
        "storage.k8s.io v1 v1alpha1 v1beta1",
        "storagemigration.k8s.io v1alpha1 v1beta1",
    ].flatMap((line) => {
        const [group, ...versions] = line.split(" ");
        return versions.map((version) => `${group}/${version}`);
    }),
]);

const namespaced = new Set(
    [
        "Binding ConfigMap ControllerRevision CronJob CSIStorageCapacity DaemonSet Deployment Endpoints EndpointSlice",
        "Event HorizontalPodAutoscaler Ingress Job Lease LimitRange NetworkPolicy PersistentVolumeClaim Pod",
        "PodDisruptionBudget PodTemplate ReplicaSet ReplicationController ResourceQuota Role RoleBinding Secret",
        "Service ServiceAccount StatefulSet",
    ].flatMap((line) => line.split(" ")),
);

const clusterScoped = new Set(
    [
        "APIService CertificateSigningRequest ClusterRole ClusterRoleBinding CSIDriver CSINode",
        "CustomResourceDefinition FlowSchema IngressClass MutatingWebhookConfiguration Namespace Node",
        "PersistentVolume PodSecurityPolicy PriorityClass PriorityLevelConfiguration RuntimeClass StorageClass",
        "ValidatingWebhookConfiguration VolumeAttachment",
    ].flatMap((line) => line.split(" ")),
);

/** Whether this API version is one of Kubernetes itself. */
export function isKnownApiVersion(apiVersion: string): boolean {
    return knownApiVersions.has(apiVersion);
}

/** Whether objects of a built-in kind live in a namespace; undefined for a kind that has to be looked up. */
export function isNamespacedBuiltIn({ group, version, kind }: GroupVersionKind): boolean | undefined {
    if (!isKnownApiVersion(formatApiVersion(group, version))) {
        return undefined;
    }
    const base = kind.replace(/Patch$/, "").replace(/List$/, "");
    return namespaced.has(base) ? true : clusterScoped.has(base) ? false : undefined;
}

/**
 * Group, version and kind of a type token such as kubernetes:apps/v1:Deployment.
 *
 * @throws Error when the token is not one of Kubernetes
 */
export function gvkOfToken(token: string): GroupVersionKind {
    const [library, apiVersion = "", kind = ""] = token.split(":");
    if (library !== "kubernetes" || kind === "") {
        throw new Error(`unrecognized resource type: "${token}" for this provider`);
    }
    const { group, version } = parseApiVersion(apiVersion);
    return { group: group === "core" ? "" : group, version, kind };
}

/** Whether the token is a Patch resource: it manages some fields of an object that somebody else owns. */
export function isPatchResource(token: string, kind: string): boolean {
    const { kind: tokenKind } = gvkOfToken(token);
    return tokenKind.endsWith("Patch") && tokenKind === `${kind.replace(/Patch$/, "")}Patch`;
}

/** Whether the token is a list, which exists for YAML's sake and cannot be created. */
export function isListToken(token: string): boolean {
    const { group, version, kind } = gvkOfToken(token);
    return (
        isKnownApiVersion(formatApiVersion(group, version)) &&
        kind.endsWith("List") &&
        (namespaced.has(kind.replace(/List$/, "")) || clusterScoped.has(kind.replace(/List$/, "")))
    );
}
