import type { Certificate } from "../../../../sandbox/controllers/cert-manager-types";
import { issue, reasonToIssue, secretAnnotations } from "../../../../sandbox/controllers/issuance";

const certificate = (privateKey: Certificate["spec"]["privateKey"]): Certificate => ({
    metadata: { name: "web", namespace: "web" },
    spec: { secretName: "web-tls", issuerRef: { name: "own" }, dnsNames: ["web.home.arpa"], privateKey },
});

test.each<[Certificate["spec"]["privateKey"], Certificate["spec"]["privateKey"], string | undefined]>([
    [{ algorithm: "ECDSA" }, { algorithm: "ECDSA", size: 256 }, undefined],
    [{ algorithm: "ECDSA" }, { algorithm: "ECDSA", size: 384 }, "[spec.privateKey.size]"],
    [{ algorithm: "ECDSA" }, undefined, "[spec.privateKey.algorithm]"],
    [{ algorithm: "ECDSA" }, { algorithm: "RSA", rotationPolicy: "Never" }, undefined],
    [{ algorithm: "Ed25519" }, { algorithm: "Ed25519", size: 256 }, undefined],
    [{ algorithm: "RSA" }, undefined, undefined],
])("a certificate with a key of %j that now wants %j is issued again because of %p", async (before, now, field) => {
    const issuer = { spec: { selfSigned: {} } };
    const values = await issue(certificate(before), issuer, undefined, { certificate: "", key: "" }, undefined);
    const secret = { annotations: secretAnnotations(certificate(before)), values };
    const reason = reasonToIssue(certificate(now), secret, new Date());
    expect(reason).toEqual(
        field && {
            reason: "SecretMismatch",
            message: `Issuing certificate as Existing private key is not up to date for spec: ${field}`,
        },
    );
});
