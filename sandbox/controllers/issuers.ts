import { X509Certificate } from "node:crypto";
import type { Condition, Issuer, SecretKeySelector } from "./cert-manager-types";

/** A Secret's values, decoded, or undefined when there is no such Secret. */
export type SecretLookup = (name: string) => Readonly<Record<string, string>> | undefined;

/** What a controller found out about an object. */
export type Verdict = Pick<Condition, "status" | "reason" | "message">;

/** The Secrets that an ACME solver takes its credentials from: cert-manager's fields for them end alike. */
function credentialsOf(value: unknown): SecretKeySelector[] {
    if (value === null || typeof value !== "object") {
        return [];
    }
    return Object.entries(value).flatMap(([key, inner]) =>
        /Secret(Access)?(KeyRef|KeySecretRef|KeyIDSecretRef|Ref)$|SecretSelector$/.test(key)
            ? [inner as SecretKeySelector]
            : credentialsOf(inner),
    );
}

function judgeCA(secretName: string, secret: SecretLookup): Verdict {
    const fail = (what: string, reason = "ErrGetKeyPair"): Verdict => ({
        status: "False",
        reason,
        message: `Error getting keypair for CA issuer: ${what}`,
    });
    const values = secret(secretName);
    if (!values) {
        return fail(`secrets "${secretName}" not found`);
    }
    const missing = ["tls.crt", "tls.key"].find((key) => !values[key]);
    if (missing) {
        return fail(`no data for "${missing}" in secret '${secretName}'`);
    }
    try {
        if (!new X509Certificate(values["tls.crt"] ?? "").ca) {
            return fail("certificate is not a CA", "ErrInvalidKeyPair");
        }
    } catch {
        return fail("error decoding certificate PEM block");
    }
    return { status: "True", reason: "KeyPairVerified", message: "Signing CA verified" };
}

/**
 * Decides whether an issuer is ready. No ACME server is asked here: such an issuer is ready when the credentials for
 * its DNS-01 solvers are there. The real one would be ready without them, and its challenges would then never end.
 *
 * @param secret finds the Secrets of the namespace that the issuer takes its Secrets from
 */
export function judgeIssuer({ spec }: Issuer, secret: SecretLookup): Verdict {
    if (spec.selfSigned) {
        return { status: "True", reason: "IsReady", message: "" };
    }
    if (spec.ca) {
        return judgeCA(spec.ca.secretName ?? "", secret);
    }
    if (spec.acme) {
        const wanted = (spec.acme.solvers ?? []).flatMap(({ dns01 }) => credentialsOf(dns01));
        const missing = wanted.find(({ name, key = "" }) => !secret(name)?.[key]);
        if (missing) {
            const message = `DNS-01 credentials: no data for "${missing.key}" in secret '${missing.name}'`;
            return { status: "False", reason: "MissingCredentials", message };
        }
        const message = "The ACME account was registered with the ACME server";
        return { status: "True", reason: "ACMEAccountRegistered", message };
    }
    const message = "the sandbox stands in for self-signed, CA and ACME issuers only";
    return { status: "False", reason: "NotSupported", message };
}

/**
 * Why Let's Encrypt would not sign for a name, or undefined: it signs for public domains only.
 *
 * @param names of the certificate
 */
export function refusedByAcme(names: readonly string[]): string | undefined {
    const special = /(^|\.)(arpa|example|home|internal|invalid|lan|local|localhost|test)$/;
    const refused = names.find((name) => special.test(name) || !name.includes("."));
    return refused && `Cannot issue for "${refused}": Domain name does not end with a valid public suffix (TLD)`;
}

/** Puts a condition in its place among the others; the time of its last change stays unless its status changes. */
export function withCondition(conditions: readonly Condition[], condition: Condition, now: Date): Condition[] {
    const before = conditions.find(({ type }) => type === condition.type);
    const lastTransitionTime =
        before?.status === condition.status && before.lastTransitionTime
            ? before.lastTransitionTime
            : now.toISOString().replace(/\.\d+/, "");
    return [...conditions.filter(({ type }) => type !== condition.type), { ...condition, lastTransitionTime }];
}
