import { validatePool } from "./address-pools";
import type { KubeObject } from "./api";
import type { Certificate, Issuer } from "./cert-manager-types";
import { parseDuration } from "./issuance";
import type { AddressPool, Advertisement } from "./metallb-types";

/** What a webhook is asked about. */
export interface AdmissionRequest {
    readonly uid: string;
    readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
    readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
    readonly namespace?: string;
    readonly object?: KubeObject | null;
}

/** What the answer depends on beside the object. */
export interface AdmissionContext {
    /** The namespace of the webhook's Service: its operator's own. */
    readonly namespace: string;
    readonly pools: readonly AddressPool[];
}

function validateAdvertisement({ spec }: Advertisement): string | undefined {
    const pools = spec?.ipAddressPools ?? [];
    const twice = pools.find((pool, index) => pools.indexOf(pool) !== index);
    return twice && `duplicate definition of ipAddressPools "${twice}"`;
}

/** Judges an Issuer as cert-manager's webhook does; all that is wrong, or undefined. */
export function validateIssuer({ spec }: Issuer): string | undefined {
    const kinds = (["acme", "ca", "selfSigned", "vault", "venafi"] as const).filter(
        (kind) => spec?.[kind] !== undefined,
    );
    const { acme, ca } = spec ?? {};
    const mistakes = [
        ...(kinds.length === 0 ? ["spec: Required value: at least one issuer must be configured"] : []),
        ...kinds.slice(1).map((kind) => `spec.${kind}: Forbidden: may not specify more than one issuer type`),
        ...(ca && !ca.secretName ? ["spec.ca.secretName: Required value"] : []),
        ...(acme && !acme.privateKeySecretRef?.name
            ? ["spec.acme.privateKeySecretRef.name: Required value: private key secret name is a required field"]
            : []),
        ...(acme && !acme.server ? ["spec.acme.server: Required value: acme server URL is a required field"] : []),
        ...(acme?.solvers ?? []).flatMap(({ dns01, http01 }, index) =>
            dns01 || http01 ? [] : [`spec.acme.solvers[${index}]: Required value: no solver type configured`],
        ),
    ];
    return mistakes.join(", ") || undefined;
}

/** Judges a Certificate as cert-manager's webhook does; all that is wrong, or undefined. */
export function validateCertificate({ spec }: Certificate): string | undefined {
    const {
        secretName,
        issuerRef,
        commonName = "",
        privateKey,
        duration,
        renewBefore,
    } = spec ?? ({} as Partial<Certificate["spec"]>);
    const names = [spec?.dnsNames, spec?.uris, spec?.emailAddresses, spec?.ipAddresses].flatMap((each) => each ?? []);
    const ours = !issuerRef?.group || issuerRef.group === "cert-manager.io";
    const { algorithm = "RSA", size } = privateKey ?? {};
    const mistakes = [
        ...(secretName ? [] : ["spec.secretName: Required value: must be specified"]),
        ...(issuerRef?.name ? [] : ["spec.issuerRef.name: Required value: must be specified"]),
        ...(ours && ![undefined, "", "Issuer", "ClusterIssuer"].includes(issuerRef?.kind)
            ? [`spec.issuerRef.kind: Invalid value: "${issuerRef?.kind}": must be one of Issuer or ClusterIssuer`]
            : []),
        ...(commonName === "" && names.length === 0
            ? [
                  'spec: Invalid value: "": at least one of commonName (from the commonName field or from a literalSubject), ' +
                      "dnsNames, emailSANs, ipAddresses, otherNames, or uriSANs must be set",
              ]
            : []),
        ...(commonName.length > 64 ? ["spec.commonName: Too long: may not be more than 64 bytes"] : []),
        ...(algorithm === "RSA" && size !== undefined && (size < 2048 || size > 8192)
            ? [`spec.privateKey.size: Invalid value: ${size}: must be between 2048 and 8192 for rsa keyAlgorithm`]
            : []),
        ...(algorithm === "ECDSA" && size !== undefined && ![256, 384, 521].includes(size)
            ? [`spec.privateKey.size: Unsupported value: ${size}: supported values: "256", "384", "521"`]
            : []),
    ];
    try {
        const lifetime = parseDuration(duration ?? "2160h");
        if (lifetime < 3_600_000) {
            mistakes.push(
                `spec.duration: Invalid value: "${duration}": certificate duration must be greater than 1h0m0s`,
            );
        }
        if (renewBefore !== undefined && parseDuration(renewBefore) >= lifetime) {
            mistakes.push(
                `spec.renewBefore: Invalid value: "${renewBefore}": certificate duration ${duration ?? "2160h0m0s"} ` +
                    `must be greater than renewBefore ${renewBefore}`,
            );
        }
    } catch (error) {
        mistakes.push(`spec.duration: ${(error as Error).message}`);
    }
    return mistakes.join(", ") || undefined;
}

/**
 * Answers as the webhook would whose pod runs nothing here.
 *
 * @returns why it refuses, or undefined when it does not
 */
export function review(
    { operation, kind, namespace, object }: AdmissionRequest,
    { namespace: own, pools }: AdmissionContext,
): string | undefined {
    if (!object || operation === "DELETE") {
        return undefined;
    }
    if (kind.group === "metallb.io") {
        if (operation === "CREATE" && namespace !== own) {
            return `resource must be created in ${own} namespace`;
        }
        if (kind.kind === "IPAddressPool") {
            return validatePool(object as AddressPool, pools);
        }
        return kind.kind.endsWith("Advertisement") ? validateAdvertisement(object as Advertisement) : undefined;
    }
    if (kind.group !== "cert-manager.io") {
        return undefined;
    }
    if (kind.kind === "Issuer" || kind.kind === "ClusterIssuer") {
        return validateIssuer(object as Issuer);
    }
    return kind.kind === "Certificate" ? validateCertificate(object as Certificate) : undefined;
}
