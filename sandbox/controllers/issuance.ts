import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Certificate, Issuer, IssuerReference } from "./cert-manager-types";
import { type Contents, curveSize, type KeyKind, makeKey, type Signer, sign } from "./x509";

/** Values of a Secret, decoded. */
export type SecretValues = Readonly<Record<string, string>>;

/** A Secret as far as a Certificate looks into it. */
export interface IssuedSecret {
    readonly annotations: Readonly<Record<string, string>>;
    readonly values: SecretValues;
}

/** Why a certificate has to be issued, in cert-manager's words. */
export interface Reason {
    readonly reason: string;
    readonly message: string;
}

const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/**
 * Milliseconds of a duration as Go writes it, such as 2160h or 1h30m0s.
 *
 * @throws Error when it is none
 */
export function parseDuration(text: string): number {
    const parts = [...text.matchAll(/([0-9.]+)(ms|h|m|s)/g)];
    if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
        throw new Error(`${text} is no duration`);
    }
    return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ""] ?? 0), 0);
}

/** How long a certificate is valid, in milliseconds: 90 days when its Certificate does not say, at least an hour. */
function durationOf({ spec }: Certificate): number {
    return Math.max(parseDuration(spec.duration ?? "2160h"), parseDuration("1h"));
}

/** When a certificate is to be renewed: a third of its time before its end, when its Certificate does not say. */
export function renewalTime({ spec }: Certificate, issued: X509Certificate): Date {
    const [start, end] = [Date.parse(issued.validFrom), Date.parse(issued.validTo)];
    const wanted = spec.renewBefore === undefined ? undefined : parseDuration(spec.renewBefore);
    const before = wanted !== undefined && wanted < end - start ? wanted : (end - start) / 3;
    return new Date(Math.floor((end - before) / 1000) * 1000);
}

/** The full name of an issuer, as it is compared. */
function issuerName({ name, kind, group }: Partial<IssuerReference>): string {
    return `${kind || "Issuer"}.${group || "cert-manager.io"}/${name}`;
}

/** The annotations by which cert-manager knows what a Secret holds. */
export function secretAnnotations({ metadata, spec }: Certificate): Record<string, string> {
    return {
        "cert-manager.io/alt-names": (spec.dnsNames ?? []).join(","),
        "cert-manager.io/certificate-name": metadata?.name ?? "",
        "cert-manager.io/common-name": spec.commonName ?? "",
        "cert-manager.io/ip-sans": (spec.ipAddresses ?? []).join(","),
        "cert-manager.io/issuer-group": spec.issuerRef.group ?? "",
        "cert-manager.io/issuer-kind": spec.issuerRef.kind ?? "Issuer",
        "cert-manager.io/issuer-name": spec.issuerRef.name,
        "cert-manager.io/uri-sans": (spec.uris ?? []).join(","),
    };
}

/** The field in which a private key is not as its Certificate wants it, or undefined. */
function keyMismatch(key: KeyObject, { algorithm = "RSA", size }: KeyKind): string | undefined {
    const { asymmetricKeyType, asymmetricKeyDetails } = key;
    if (asymmetricKeyType !== { RSA: "rsa", ECDSA: "ec", Ed25519: "ed25519" }[algorithm]) {
        return "spec.privateKey.algorithm";
    }
    const actual = { RSA: asymmetricKeyDetails?.modulusLength, ECDSA: curveSize(key), Ed25519: undefined }[algorithm];
    const wanted = size || { RSA: 2048, ECDSA: 256, Ed25519: undefined }[algorithm];
    return algorithm === "Ed25519" || actual === wanted ? undefined : "spec.privateKey.size";
}

/** The annotations of a Secret that say which names were asked for when it was issued. */
const nameAnnotations = ["alt-names", "common-name", "ip-sans", "uri-sans"].map((name) => `cert-manager.io/${name}`);

/**
 * Why a Certificate's Secret does not do, or undefined when it does.
 *
 * @param secret undefined when there is none
 */
export function reasonToIssue(
    certificate: Certificate,
    secret: IssuedSecret | undefined,
    now: Date,
): Reason | undefined {
    const because = (reason: string, text: string): Reason => ({ reason, message: `Issuing certificate as ${text}` });
    if (!secret) {
        return because("DoesNotExist", "Secret does not exist");
    }
    const { values, annotations } = secret;
    if (Object.keys(values).length === 0) {
        return because("MissingData", "Secret does not contain any data");
    }
    if (!values["tls.key"]) {
        return because("MissingData", "Secret does not contain a private key");
    }
    if (!values["tls.crt"]) {
        return because("MissingData", "Secret does not contain a certificate");
    }
    let issued: X509Certificate;
    try {
        issued = new X509Certificate(values["tls.crt"]);
    } catch (error) {
        return because("InvalidCertificate", `Secret contains an invalid certificate: ${(error as Error).message}`);
    }
    try {
        const key = createPrivateKey(values["tls.key"]);
        if (!issued.checkPrivateKey(key)) {
            return because("InvalidKeyPair", "Secret contains a private key that does not match the certificate");
        }
        const { privateKey = {} } = certificate.spec;
        // Told to keep its key, cert-manager waits for somebody to remove the one that does not fit.
        const mismatch = privateKey.rotationPolicy === "Never" ? undefined : keyMismatch(key, privateKey);
        if (mismatch) {
            return because("SecretMismatch", `Existing private key is not up to date for spec: [${mismatch}]`);
        }
    } catch (error) {
        return because("InvalidKeyPair", `Secret contains invalid private key data: ${(error as Error).message}`);
    }
    const issuer = {
        name: annotations["cert-manager.io/issuer-name"],
        kind: annotations["cert-manager.io/issuer-kind"],
        group: annotations["cert-manager.io/issuer-group"],
    };
    if (issuerName(issuer) !== issuerName(certificate.spec.issuerRef)) {
        return because("IncorrectIssuer", `Secret was previously issued by "${issuerName(issuer)}"`);
    }
    const wanted = secretAnnotations(certificate);
    const changed = nameAnnotations.filter((name) => (annotations[name] ?? "") !== wanted[name]);
    if (changed.length > 0 || issued.ca !== (certificate.spec.isCA ?? false)) {
        return because("RequestChanged", "other names, or another kind of certificate, are wanted than before");
    }
    if (now.getTime() >= renewalTime(certificate, issued).getTime()) {
        return { reason: "Renewing", message: "Renewing certificate as renewal was scheduled" };
    }
    return undefined;
}

/** The certificates of a PEM text, in their order. */
function split(pem: string): string[] {
    return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
}

const contentsOf = (certificate: Certificate): Contents => ({
    ...certificate.spec,
    duration: durationOf(certificate),
});

/**
 * Issues a Certificate: what belongs into its Secret.
 *
 * @param authority the Secret of a CA issuer
 * @param publicAuthority who signs for an ACME issuer
 * @param previous what its Secret holds, from which the key is kept if the Certificate says so
 */
export async function issue(
    certificate: Certificate,
    issuer: Issuer,
    authority: SecretValues | undefined,
    publicAuthority: Signer,
    previous: SecretValues | undefined,
): Promise<SecretValues> {
    const { privateKey = {} } = certificate.spec;
    const kept = privateKey.rotationPolicy === "Never" ? previous?.["tls.key"] : undefined;
    const key = kept ?? (await makeKey(privateKey));
    if (issuer.spec.selfSigned) {
        const own = await sign(contentsOf(certificate), key);
        return { "tls.crt": own, "tls.key": key, "ca.crt": own };
    }
    if (issuer.spec.acme) {
        // Let's Encrypt's root is not part of what it hands out.
        const leaf = await sign(contentsOf(certificate), key, publicAuthority);
        return { "tls.crt": leaf + publicAuthority.certificate, "tls.key": key };
    }
    const chain = split(authority?.["tls.crt"] ?? "");
    const [signing = ""] = chain;
    const leaf = await sign(contentsOf(certificate), key, { certificate: signing, key: authority?.["tls.key"] ?? "" });
    const parsed = new X509Certificate(signing);
    const isRoot = parsed.checkIssued(parsed);
    return {
        "tls.crt": isRoot ? leaf : leaf + chain.join(""),
        "tls.key": key,
        "ca.crt": isRoot ? signing : (authority?.["ca.crt"] ?? chain.at(-1) ?? signing),
    };
}
