/** Levels of the Pod Security Standards. https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
export const podSecurityLevels = ["restricted", "baseline", "privileged"] as const;

/** Pod Security level of a namespace. */
export type PodSecurity = (typeof podSecurityLevels)[number];

/** The label of a namespace whose value is the level that the API server enforces in it. */
export const podSecurityLabel = "pod-security.kubernetes.io/enforce";
