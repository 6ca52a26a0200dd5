import type { V1ObjectMeta } from "./kubernetes-types";

/** A condition of a cert-manager object. */
export interface Condition {
    readonly type: string;
    readonly status: "True" | "False";
    readonly reason: string;
    readonly message: string;
    readonly observedGeneration?: number;
    /** RFC 3339. */
    readonly lastTransitionTime?: string;
}

/** Names a key of a Secret. */
export interface SecretKeySelector {
    readonly name: string;
    readonly key?: string;
}

/** One way to prove that a domain is one's own. */
export interface Solver {
    readonly dns01?: Readonly<Record<string, unknown>>;
    readonly http01?: object;
}

/** An Issuer or a ClusterIssuer. https://cert-manager.io/docs/reference/api-docs/ */
export interface Issuer {
    readonly apiVersion?: string;
    readonly kind?: string;
    readonly metadata?: V1ObjectMeta;
    readonly spec: {
        readonly selfSigned?: object;
        readonly ca?: { readonly secretName?: string };
        readonly acme?: {
            readonly server?: string;
            readonly privateKeySecretRef?: SecretKeySelector;
            readonly solvers?: readonly Solver[];
        };
        readonly vault?: object;
        readonly venafi?: object;
    };
    readonly status?: { readonly conditions?: readonly Condition[] };
}

/** Where a certificate comes from. */
export interface IssuerReference {
    readonly name: string;
    /** Issuer when absent. */
    readonly kind?: string;
    readonly group?: string;
}

/** A Certificate. https://cert-manager.io/docs/reference/api-docs/ */
export interface Certificate {
    readonly apiVersion?: string;
    readonly kind?: string;
    readonly metadata?: V1ObjectMeta;
    readonly spec: {
        readonly secretName: string;
        readonly issuerRef: IssuerReference;
        readonly commonName?: string;
        readonly dnsNames?: readonly string[];
        readonly ipAddresses?: readonly string[];
        readonly uris?: readonly string[];
        readonly emailAddresses?: readonly string[];
        readonly isCA?: boolean;
        /** As Go writes durations; 90 days when absent. */
        readonly duration?: string;
        /** As Go writes durations; a third of the duration when absent. */
        readonly renewBefore?: string;
        readonly usages?: readonly string[];
        readonly privateKey?: {
            readonly algorithm?: "RSA" | "ECDSA" | "Ed25519";
            readonly encoding?: "PKCS1" | "PKCS8";
            readonly size?: number;
            readonly rotationPolicy?: "Never" | "Always";
        };
        readonly secretTemplate?: {
            readonly labels?: Readonly<Record<string, string>>;
            readonly annotations?: Readonly<Record<string, string>>;
        };
    };
    readonly status?: {
        readonly conditions?: readonly Condition[];
        readonly notBefore?: string;
        readonly notAfter?: string;
        readonly renewalTime?: string;
        readonly revision?: number;
    };
}
