/** Levels of the Pod Security Standards. https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
export const podSecurityLevels = ["restricted", "baseline", "privileged"] as const;

/** Pod Security level of a namespace. */
export type PodSecurity = (typeof podSecurityLevels)[number];

/** The label of a namespace whose value is the level that the API server enforces in it. */
export const podSecurityLabel = "pod-security.kubernetes.io/enforce";

/** Security context of the program's own pods: the level `restricted`, as one user without a name. */
export const restrictedPod = {
    runAsNonRoot: true,
    runAsUser: 1000,
    runAsGroup: 1000,
    fsGroup: 1000,
    seccompProfile: { type: "RuntimeDefault" },
};

/** Security context of their containers. */
export const restrictedContainer = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
};
