import { X509Certificate } from "node:crypto";
import { type AdmissionRequest, review } from "../../../sandbox/controllers/admission";
import type { Certificate, Issuer } from "../../../sandbox/controllers/cert-manager-types";
import { changedConditions } from "../../../sandbox/controllers/certificates";
import { wantedCertificates } from "../../../sandbox/controllers/ingress-shim";
import {
    issue,
    parseDuration,
    reasonToIssue,
    renewalTime,
    secretAnnotations,
} from "../../../sandbox/controllers/issuance";
import { judgeIssuer, refusedByAcme, withCondition } from "../../../sandbox/controllers/issuers";
import { makeKey, type Signer, sign } from "../../../sandbox/controllers/x509";

const day = 86_400_000;
let authority: Signer;
let leaf: string;

beforeAll(async () => {
    const key = await makeKey({ algorithm: "ECDSA" });
    authority = { key, certificate: await sign({ commonName: "home CA", isCA: true, duration: 3650 * day }, key) };
    leaf = await sign({ dnsNames: ["web.home.arpa"], duration: 90 * day }, key, authority);
});

const selfSigned: Issuer = { spec: { selfSigned: {} } };
const ca: Issuer = { spec: { ca: { secretName: "internal-ca" } } };
const acme: Issuer = {
    spec: {
        acme: {
            server: "https://acme.example.org",
            privateKeySecretRef: { name: "account" },
            solvers: [{ dns01: { cloudflare: { apiTokenSecretRef: { name: "tokens", key: "dns" } } } }],
        },
    },
};

describe("an issuer", () => {
    test.each<[string, Issuer, () => Record<string, Record<string, string>>, string]>([
        ["that signs itself is ready", selfSigned, () => ({}), "IsReady"],
        ["without its Secret is not", ca, () => ({}), "ErrGetKeyPair"],
        ["whose Secret has no key is not", ca, () => ({ "internal-ca": { "tls.crt": leaf } }), "ErrGetKeyPair"],
        [
            "whose certificate is none is not",
            ca,
            () => ({ "internal-ca": { "tls.crt": "x", "tls.key": "x" } }),
            "ErrGetKeyPair",
        ],
        [
            "whose certificate may not sign is not",
            ca,
            () => ({ "internal-ca": { "tls.crt": leaf, "tls.key": "x" } }),
            "ErrInvalidKeyPair",
        ],
        [
            "with a CA's certificate and key is ready",
            ca,
            () => ({ "internal-ca": { "tls.crt": authority.certificate, "tls.key": authority.key } }),
            "KeyPairVerified",
        ],
        ["of ACME without its token is not", acme, () => ({ tokens: {} }), "MissingCredentials"],
        ["of ACME with its token is ready", acme, () => ({ tokens: { dns: "x" } }), "ACMEAccountRegistered"],
        ["of Vault is not supported", { spec: { vault: {} } }, () => ({}), "NotSupported"],
    ])("%s", (_, issuer, secrets, reason) => {
        const verdict = judgeIssuer(issuer, (name) => secrets()[name]);
        expect(verdict.reason).toBe(reason);
        expect(verdict.status).toBe(/Ready|Verified|Registered/.test(reason) ? "True" : "False");
    });
});

test.each([
    [["www.example.org"], false],
    [["www.example.org", "web.home.arpa"], true],
    [["*.lan"], true],
    [["nas"], true],
])("Let's Encrypt refuses %j: %p", (names, refused) => {
    expect(refusedByAcme(names) !== undefined).toBe(refused);
});

describe("a certificate", () => {
    const wanted = (spec: Partial<Certificate["spec"]> = {}): Certificate => ({
        metadata: { name: "web", namespace: "web" },
        spec: {
            secretName: "web-tls",
            issuerRef: { name: "internal-ca", kind: "ClusterIssuer", group: "cert-manager.io" },
            dnsNames: ["web.home.arpa", "*.web.home.arpa"],
            privateKey: { algorithm: "ECDSA" },
            ...spec,
        },
    });
    const issued = (certificate: Certificate, previous?: Record<string, string>) => {
        const values = { "tls.crt": authority.certificate, "tls.key": authority.key };
        return issue(certificate, ca, values, authority, previous);
    };
    const held = async (certificate: Certificate) => ({
        annotations: secretAnnotations(certificate),
        values: await issued(certificate),
    });

    test.each<[string, Certificate["spec"]["privateKey"], string]>([
        ["ECDSA", { algorithm: "ECDSA" }, "BEGIN EC PRIVATE KEY"],
        ["ECDSA of 384 bits", { algorithm: "ECDSA", size: 384, encoding: "PKCS8" }, "BEGIN PRIVATE KEY"],
        ["RSA", {}, "BEGIN RSA PRIVATE KEY"],
        ["Ed25519", { algorithm: "Ed25519" }, "BEGIN PRIVATE KEY"],
    ])("with a key of %s is signed by the CA and does", async (_, privateKey, header) => {
        const secret = await held(wanted({ privateKey }));
        const certificate = new X509Certificate(secret.values["tls.crt"] ?? "");
        const root = new X509Certificate(secret.values["ca.crt"] ?? "");
        expect(secret.values["tls.key"]).toContain(header);
        expect(certificate.checkIssued(root) && certificate.verify(root.publicKey)).toBe(true);
        expect(certificate.checkHost("a.web.home.arpa")).toBeDefined();
        expect(certificate.ca).toBe(false);
        expect(reasonToIssue(wanted({ privateKey }), secret, new Date())).toBeUndefined();
    });

    test("that signs itself is its own CA", async () => {
        const certificate = wanted({ isCA: true, commonName: "home CA", dnsNames: [] });
        const values = await issue(certificate, selfSigned, undefined, authority, undefined);
        const parsed = new X509Certificate(values["tls.crt"] ?? "");
        expect([parsed.ca, parsed.checkIssued(parsed), values["ca.crt"]]).toEqual([true, true, values["tls.crt"]]);
    });

    test("of an intermediate CA comes with its chain, and with the root as CA", async () => {
        const key = await makeKey({ algorithm: "ECDSA" });
        const certificate = await sign({ commonName: "middle", isCA: true, duration: 365 * day }, key, authority);
        const values = { "tls.crt": certificate, "tls.key": key, "ca.crt": authority.certificate };
        const result = await issue(wanted(), ca, values, authority, undefined);
        expect(result["tls.crt"]?.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
        expect(result["ca.crt"]).toBe(authority.certificate);
    });

    test("keeps its key when it is told to", async () => {
        const first = await issued(wanted());
        const kept = await issued(wanted({ privateKey: { algorithm: "ECDSA", rotationPolicy: "Never" } }), first);
        const changed = await issued(wanted({ privateKey: { algorithm: "ECDSA", rotationPolicy: "Always" } }), first);
        expect([kept["tls.key"] === first["tls.key"], changed["tls.key"] === first["tls.key"]]).toEqual([true, false]);
    });

    test("is issued when there is no Secret", () => {
        expect(reasonToIssue(wanted(), undefined, new Date())).toEqual({
            reason: "DoesNotExist",
            message: "Issuing certificate as Secret does not exist",
        });
    });

    test.each<[string, Partial<Certificate["spec"]>, number, string]>([
        ["its names have changed", { dnsNames: ["new.home.arpa"] }, 0, "RequestChanged"],
        ["its issuer has changed", { issuerRef: { name: "letsencrypt", kind: "ClusterIssuer" } }, 0, "IncorrectIssuer"],
        ["a third of its time is left", {}, 61, "Renewing"],
    ])("is issued again when %s", async (_, change, days, reason) => {
        const secret = await held(wanted());
        const now = new Date(Date.now() + days * day);
        expect(reasonToIssue(wanted(change), secret, now)?.reason).toBe(reason);
    });

    test.each([
        ["no data", {}, "MissingData"],
        ["no certificate", { "tls.key": "x" }, "MissingData"],
        ["no real certificate", { "tls.key": "x", "tls.crt": "x" }, "InvalidCertificate"],
    ])("is issued again when its Secret has %s", (_, values: Record<string, string>, reason) => {
        expect(reasonToIssue(wanted(), { annotations: {}, values }, new Date())?.reason).toBe(reason);
    });

    test("is renewed as long before its end as it says", async () => {
        const certificate = new X509Certificate(leaf);
        const left =
            Date.parse(certificate.validTo) - renewalTime(wanted({ renewBefore: "240h" }), certificate).getTime();
        expect(left).toBe(10 * day);
    });
});

test.each([
    ["2160h", 90 * day],
    ["87600h0m0s", 3650 * day],
    ["1h30m", 5_400_000],
])("%s is a duration", (text, value) => {
    expect(parseDuration(text)).toBe(value);
});

test.each(["", "90d", "1h 30m"])("%p is no duration", (text) => {
    expect(() => parseDuration(text)).toThrow("is no duration");
});

test("a condition remembers when its status changed last", () => {
    const ready = { type: "Ready", status: "True", reason: "Ready", message: "" } as const;
    const before = [{ ...ready, lastTransitionTime: "2026-01-01T00:00:00Z" }];
    const now = new Date("2026-02-02T00:00:00Z");
    expect(withCondition(before, { ...ready, message: "new" }, now)[0]?.lastTransitionTime).toBe(
        "2026-01-01T00:00:00Z",
    );
    expect(withCondition(before, { ...ready, status: "False" }, now)[0]?.lastTransitionTime).toBe(
        "2026-02-02T00:00:00Z",
    );
});

test("a certificate that goes on waiting is as it was, so that nobody has to look at it again", () => {
    const reason = { reason: "DoesNotExist", message: "Issuing certificate as Secret does not exist" };
    const waiting = [
        { type: "Ready", status: "False", ...reason },
        { type: "Issuing", status: "True", ...reason },
    ] as const;
    const at = (hour: string) => new Date(`2026-11-26T${hour}:00:00Z`);
    const certificate: Certificate = { spec: { secretName: "web-tls", issuerRef: { name: "internal-ca" } } };
    const first = changedConditions(certificate, waiting, at("03"));
    const later = changedConditions({ ...certificate, status: { conditions: first } }, waiting, at("04"));
    const ready = { type: "Ready", status: "True", reason: "Ready", message: "" } as const;

    expect(later).toEqual(first);
    expect(changedConditions({ ...certificate, status: { conditions: later } }, [ready], at("05"))).toEqual([
        { ...ready, lastTransitionTime: "2026-11-26T05:00:00Z" },
    ]);
});

describe("an Ingress", () => {
    const ingress = (annotations: Record<string, string>, tls: { hosts?: string[]; secretName?: string }[]) => ({
        metadata: { name: "web", namespace: "web", uid: "1", annotations, labels: { app: "web" } },
        spec: { tls },
    });
    const block = { hosts: ["web.home.arpa"], secretName: "web-tls" };

    test("that names an issuer gets a Certificate for each TLS block, which goes with it", () => {
        const { certificates, mistake } = wantedCertificates(
            ingress({ "cert-manager.io/cluster-issuer": "internal-ca", "cert-manager.io/duration": "24h" }, [block]),
        );
        expect(mistake).toBeUndefined();
        expect(certificates).toMatchObject([
            {
                metadata: {
                    name: "web-tls",
                    namespace: "web",
                    labels: { app: "web" },
                    ownerReferences: [{ uid: "1" }],
                },
                spec: {
                    secretName: "web-tls",
                    dnsNames: ["web.home.arpa"],
                    duration: "24h",
                    issuerRef: { name: "internal-ca", kind: "ClusterIssuer", group: "cert-manager.io" },
                },
            },
        ]);
    });

    test("that names none gets none", () => {
        expect(wantedCertificates(ingress({}, [block]))).toEqual({ certificates: [] });
    });

    test.each([
        ["without a Secret's name", { "cert-manager.io/issuer": "a" }, { hosts: ["a.b"] }, "spec.tls[0].secretName"],
        ["without hosts", { "cert-manager.io/issuer": "a" }, { secretName: "a" }, "spec.tls[0].hosts"],
        [
            "of two issuers",
            { "cert-manager.io/issuer": "a", "cert-manager.io/cluster-issuer": "b" },
            block,
            "may not be set",
        ],
    ])("%s is a mistake", (_, annotations: Record<string, string>, tls, message) => {
        expect(wantedCertificates(ingress(annotations, [tls])).mistake).toContain(message);
    });
});

describe("a webhook", () => {
    const ask = (kind: string, spec: object, group = "cert-manager.io", namespace = "metallb-system") => {
        const request: AdmissionRequest = {
            uid: "1",
            operation: "CREATE",
            kind: { group, version: "v1", kind },
            namespace,
            object: { metadata: { name: "a", namespace }, ...{ spec } },
        };
        return review(request, { namespace: "metallb-system", pools: [] });
    };

    test.each<[string, string, object, string]>([
        ["an issuer of no kind", "ClusterIssuer", {}, "at least one issuer must be configured"],
        [
            "an issuer of two kinds",
            "Issuer",
            { selfSigned: {}, ca: { secretName: "a" } },
            "may not specify more than one",
        ],
        [
            "an ACME issuer without a server",
            "Issuer",
            { acme: { privateKeySecretRef: { name: "a" } } },
            "server URL is a required",
        ],
        [
            "a certificate without names",
            "Certificate",
            { secretName: "a", issuerRef: { name: "a" } },
            "at least one of commonName",
        ],
        [
            "a certificate without a Secret",
            "Certificate",
            { dnsNames: ["a"], issuerRef: { name: "a" } },
            "spec.secretName",
        ],
        [
            "a certificate of a misspelt kind of issuer",
            "Certificate",
            { secretName: "a", dnsNames: ["a"], issuerRef: { name: "a", kind: "ClusterIsuer" } },
            "must be one of Issuer or ClusterIssuer",
        ],
        [
            "a certificate that is to be renewed before it begins",
            "Certificate",
            { secretName: "a", dnsNames: ["a"], issuerRef: { name: "a" }, duration: "24h", renewBefore: "25h" },
            "must be greater than renewBefore",
        ],
    ])("refuses %s", (_, kind, spec, message) => {
        expect(ask(kind, spec)).toContain(message);
    });

    test.each<[string, string, object]>([
        ["an issuer", "ClusterIssuer", { selfSigned: {} }],
        ["a certificate", "Certificate", { secretName: "a", dnsNames: ["a.b"], issuerRef: { name: "a" } }],
        ["what is not checked", "CertificateRequest", {}],
    ])("admits %s", (_, kind, spec) => {
        expect(ask(kind, spec)).toBeUndefined();
    });

    test("of MetalLB refuses what is outside its namespace, and a range that is none", () => {
        const spec = { addresses: ["10.0.0.1"] };
        expect(ask("IPAddressPool", spec, "metallb.io", "default")).toBe(
            "resource must be created in metallb-system namespace",
        );
        expect(ask("IPAddressPool", spec, "metallb.io")).toContain('invalid CIDR "10.0.0.1"');
        expect(ask("L2Advertisement", { ipAddressPools: ["a", "a"] }, "metallb.io")).toContain("duplicate definition");
    });
});
