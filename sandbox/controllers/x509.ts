// @peculiar/x509 wires its algorithms with it when it is loaded.
import "reflect-metadata";
import {
    createPrivateKey,
    createPublicKey,
    generateKeyPair,
    type KeyObject,
    randomBytes,
    webcrypto,
} from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import * as x509 from "@peculiar/x509";

/** A private key's kind. */
export interface KeyKind {
    readonly algorithm?: "RSA" | "ECDSA" | "Ed25519";
    /** Bits; 2048 for RSA and 256 for ECDSA when absent. */
    readonly size?: number;
    /** PKCS1 when absent, which for ECDSA means SEC 1. */
    readonly encoding?: "PKCS1" | "PKCS8";
}

/** What a certificate says. */
export interface Contents {
    readonly commonName?: string;
    readonly dnsNames?: readonly string[];
    readonly ipAddresses?: readonly string[];
    readonly uris?: readonly string[];
    readonly emailAddresses?: readonly string[];
    readonly isCA?: boolean;
    /** As cert-manager names them; digital signature and key encipherment when absent. */
    readonly usages?: readonly string[];
    /** Milliseconds. */
    readonly duration: number;
}

/** Who signs: certificate and key in PEM. */
export interface Signer {
    readonly certificate: string;
    readonly key: string;
}

const generate = promisify(generateKeyPair);

/** Makes a private key, in PEM. */
export async function makeKey({ algorithm = "RSA", size, encoding = "PKCS1" }: KeyKind = {}): Promise<string> {
    const format = "pem";
    if (algorithm === "Ed25519") {
        const { privateKey } = await generate("ed25519", {});
        return privateKey.export({ type: "pkcs8", format }).toString();
    }
    if (algorithm === "ECDSA") {
        const { privateKey } = await generate("ec", { namedCurve: `P-${size ?? 256}` });
        return privateKey.export({ type: encoding === "PKCS8" ? "pkcs8" : "sec1", format }).toString();
    }
    const { privateKey } = await generate("rsa", { modulusLength: size ?? 2048 });
    return privateKey.export({ type: encoding === "PKCS8" ? "pkcs8" : "pkcs1", format }).toString();
}

const curves: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };

/** Bits of an elliptic curve's key, or undefined for another kind of key. */
export function curveSize({ asymmetricKeyDetails }: KeyObject): number | undefined {
    const curve = curves[asymmetricKeyDetails?.namedCurve ?? ""];
    return curve === undefined ? undefined : Number(curve.slice(2));
}

/** What Web Cryptography calls a key's algorithm. */
function algorithmOf(key: KeyObject) {
    if (key.asymmetricKeyType === "ed25519") {
        return { name: "Ed25519" };
    }
    if (key.asymmetricKeyType === "ec") {
        const namedCurve = curves[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? "P-256";
        return { name: "ECDSA", namedCurve, hash: "SHA-256" };
    }
    return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
}

function importPrivate(pem: string): Promise<webcrypto.CryptoKey> {
    const key = createPrivateKey(pem);
    const bytes = key.export({ type: "pkcs8", format: "der" });
    return webcrypto.subtle.importKey("pkcs8", bytes, algorithmOf(key), true, ["sign"]);
}

function importPublic(privatePem: string): Promise<webcrypto.CryptoKey> {
    const key = createPublicKey(createPrivateKey(privatePem));
    const bytes = key.export({ type: "spki", format: "der" });
    return webcrypto.subtle.importKey("spki", bytes, algorithmOf(key), true, ["verify"]);
}

const keyUsages: Readonly<Record<string, x509.KeyUsageFlags>> = {
    signing: x509.KeyUsageFlags.digitalSignature,
    "digital signature": x509.KeyUsageFlags.digitalSignature,
    "content commitment": x509.KeyUsageFlags.nonRepudiation,
    "key encipherment": x509.KeyUsageFlags.keyEncipherment,
    "key agreement": x509.KeyUsageFlags.keyAgreement,
    "data encipherment": x509.KeyUsageFlags.dataEncipherment,
    "cert sign": x509.KeyUsageFlags.keyCertSign,
    "crl sign": x509.KeyUsageFlags.cRLSign,
};

const extendedUsages: Readonly<Record<string, string>> = {
    "server auth": x509.ExtendedKeyUsage.serverAuth,
    "client auth": x509.ExtendedKeyUsage.clientAuth,
    "code signing": x509.ExtendedKeyUsage.codeSigning,
    "email protection": x509.ExtendedKeyUsage.emailProtection,
};

function usageExtensions({ usages = ["digital signature", "key encipherment"], isCA }: Contents): x509.Extension[] {
    const all = isCA ? [...usages, "cert sign", "crl sign"] : usages;
    const flags = all.reduce((sum, usage) => sum | (keyUsages[usage] ?? 0), 0);
    const extended = all.flatMap((usage) => extendedUsages[usage] ?? []);
    return [
        new x509.KeyUsagesExtension(flags, true),
        ...(extended.length > 0 ? [new x509.ExtendedKeyUsageExtension(extended)] : []),
    ];
}

/**
 * Signs a certificate.
 *
 * @param key private key of the certificate, in PEM
 * @param signer who signs; the certificate signs itself when absent
 * @returns the certificate in PEM
 */
export async function sign(contents: Contents, key: string, signer?: Signer): Promise<string> {
    const { commonName, dnsNames = [], ipAddresses = [], uris = [], emailAddresses = [], isCA = false } = contents;
    const names: x509.JsonGeneralNames = [
        ...dnsNames.map((value) => ({ type: "dns" as const, value })),
        ...ipAddresses.filter((value) => isIP(value) !== 0).map((value) => ({ type: "ip" as const, value })),
        ...uris.map((value) => ({ type: "url" as const, value })),
        ...emailAddresses.map((value) => ({ type: "email" as const, value })),
    ];
    const publicKey = await importPublic(key);
    const signingKey = await importPrivate(signer?.key ?? key);
    const authority = signer && new x509.X509Certificate(signer.certificate);
    const subject = new x509.Name(commonName ? [{ CN: [commonName] }] : []);
    // The times of a certificate have no milliseconds.
    const notBefore = new Date(Math.floor(Date.now() / 1000) * 1000);
    // The first byte keeps the number positive.
    const serialNumber = `01${randomBytes(15).toString("hex")}`;
    const certificate = await x509.X509CertificateGenerator.create({
        serialNumber,
        subject: subject.toString(),
        issuer: authority?.subject ?? subject.toString(),
        notBefore,
        notAfter: new Date(notBefore.getTime() + contents.duration),
        publicKey,
        signingKey,
        signingAlgorithm: algorithmOf(createPrivateKey(signer?.key ?? key)),
        extensions: [
            new x509.BasicConstraintsExtension(isCA, undefined, true),
            ...usageExtensions(contents),
            await x509.SubjectKeyIdentifierExtension.create(publicKey),
            ...(authority ? [await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey)] : []),
            ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names, !commonName)] : []),
        ],
    });
    return `${certificate.toString("pem")}\n`;
}
