import { X509Certificate } from "node:crypto";
import type { Certificate, Condition, Issuer } from "./cert-manager-types";
import type { Cluster } from "./cluster";
import { issue, type Reason, reasonToIssue, renewalTime, type SecretValues, secretAnnotations } from "./issuance";
import { judgeIssuer, refusedByAcme, withCondition } from "./issuers";
import type { V1Secret } from "./kubernetes-types";
import { findAvailable } from "./labels";
import { type Controller, forEach, inOrder } from "./loop";
import { resources } from "./resources";
import { makeKey, type Signer, sign } from "./x509";

/** The labels of cert-manager's own Deployment. */
const controllerLabels = { "app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/component": "controller" };

const decode = (secret: V1Secret | undefined): SecretValues | undefined =>
    secret &&
    Object.fromEntries(
        Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
    );

const component = "cert-manager-certificates-issuing";

const timestamp = (date: Date) => date.toISOString().replace(/\.\d+/, "");

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

const isReady = ({ metadata, status }: Issuer) =>
    status?.conditions?.some(
        (each) => each.type === "Ready" && each.status === "True" && each.observedGeneration === metadata?.generation,
    ) ?? false;

/** The namespace of cert-manager's controller while its pods are ready. */
export function certManagerNamespace(cluster: Cluster): string | undefined {
    return findAvailable(cluster.store(resources.deployments).list(), controllerLabels)?.metadata?.namespace;
}

/** Who signs in Let's Encrypt's place, made anew with each start. */
async function makePublicAuthority(): Promise<Signer> {
    const key = await makeKey({ algorithm: "ECDSA" });
    const contents = { commonName: "(STAND-IN) Let's Encrypt", isCA: true, duration: 10 * 365 * 86_400_000 };
    return { key, certificate: await sign(contents, key) };
}

/** What becomes known of a condition. */
type Change = Pick<Condition, "type" | "status" | "reason" | "message">;

/** A certificate's conditions after changes. That it is being issued goes when it is not any more. */
export function changedConditions(certificate: Certificate, changes: readonly Change[], now: Date): Condition[] {
    const { metadata, status } = certificate;
    const isIssuing = changes.some(({ type }) => type === "Issuing");
    const before: readonly Condition[] = status?.conditions ?? [];
    return changes.reduce(
        (all, change) => withCondition(all, { ...change, observedGeneration: metadata?.generation }, now),
        before.filter(({ type }) => type !== "Issuing" || isIssuing),
    );
}

/** Decides on Issuers and ClusterIssuers, and issues Certificates, as cert-manager's controller does. */
export function certificates(cluster: Cluster): Controller {
    const objects = cluster.store(resources.certificates);
    const issuers = cluster.store(resources.issuers);
    const clusterIssuers = cluster.store(resources.clusterIssuers);
    const secrets = cluster.store(resources.secrets);
    const deployments = cluster.store(resources.deployments);
    let publicAuthority: Promise<Signer> | undefined;

    const judge = async (issuer: Issuer, namespace: string): Promise<void> => {
        const { kind = "", metadata, status } = issuer;
        const verdict = judgeIssuer(issuer, (name) => decode(secrets.get(namespace, name)));
        const condition: Condition = { type: "Ready", ...verdict, observedGeneration: metadata?.generation };
        const conditions = withCondition(status?.conditions ?? [], condition, new Date());
        if (!same(conditions, status?.conditions)) {
            const resource = kind === "Issuer" ? resources.issuers : resources.clusterIssuers;
            await cluster.patch(resource, issuer, { status: { conditions } }, "status");
        }
        if (verdict.status === "False") {
            const { reason, message } = verdict;
            const component = `cert-manager-${kind.toLowerCase()}s`;
            await cluster.note(issuer, { type: "Warning", reason, message, component });
        }
    };

    /** Why a certificate cannot be issued now, or the issuer that issues it. */
    const findIssuer = ({ metadata, spec }: Certificate): Issuer | Reason => {
        const { name, kind = "Issuer", group = "cert-manager.io" } = spec.issuerRef;
        const namespace = metadata?.namespace ?? "";
        const issuer = kind === "ClusterIssuer" ? clusterIssuers.get("", name) : issuers.get(namespace, name);
        if (!issuer || group !== "cert-manager.io") {
            const message = `Referenced "${kind}" not found: ${kind.toLowerCase()}.${group} "${name}" not found`;
            return { reason: "IssuerNotFound", message };
        }
        if (!isReady(issuer)) {
            const message = `Referenced issuer does not have a Ready status condition: ${kind} "${name}"`;
            return { reason: "IssuerNotReady", message };
        }
        const refused = issuer.spec.acme && refusedByAcme(spec.dnsNames ?? []);
        return refused ? { reason: "OrderFailed", message: refused } : issuer;
    };

    const write = async (certificate: Certificate, values: SecretValues): Promise<void> => {
        const { metadata, spec } = certificate;
        const { secretTemplate } = spec;
        await cluster.apply(resources.secrets, {
            metadata: {
                name: spec.secretName,
                namespace: metadata?.namespace,
                labels: { ...secretTemplate?.labels, "controller.cert-manager.io/fao": "true" },
                annotations: { ...secretTemplate?.annotations, ...secretAnnotations(certificate) },
            },
            type: "kubernetes.io/tls",
            data: Object.fromEntries(
                Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
            ),
        } as V1Secret);
    };

    const setStatus = async (certificate: Certificate, status: Certificate["status"]): Promise<void> => {
        if (!same({ ...certificate.status, ...status }, certificate.status)) {
            await cluster.patch(resources.certificates, certificate, { status }, "status");
        }
    };

    /** @returns when it is to be renewed */
    const setReady = async (certificate: Certificate, values: SecretValues): Promise<Date> => {
        const issued = new X509Certificate(values["tls.crt"] ?? "");
        const renewal = renewalTime(certificate, issued);
        const message = "Certificate is up to date and has not expired";
        await setStatus(certificate, {
            conditions: changedConditions(
                certificate,
                [{ type: "Ready", status: "True", reason: "Ready", message }],
                new Date(),
            ),
            notBefore: timestamp(new Date(issued.validFrom)),
            notAfter: timestamp(new Date(issued.validTo)),
            renewalTime: timestamp(renewal),
            revision: certificate.status?.revision ?? 1,
        });
        return renewal;
    };

    const setWaiting = async (certificate: Certificate, reason: Reason, obstacle: Reason): Promise<void> => {
        await setStatus(certificate, {
            conditions: changedConditions(
                certificate,
                [
                    { type: "Ready", status: "False", ...reason },
                    { type: "Issuing", status: "True", ...reason },
                ],
                new Date(),
            ),
        });
        await cluster.note(certificate, { type: "Warning", ...obstacle, component });
    };

    const issueInto = async (
        certificate: Certificate,
        issuer: Issuer,
        previous: SecretValues | undefined,
        namespace: string,
    ): Promise<void> => {
        publicAuthority ??= makePublicAuthority();
        const from = issuer.kind === "ClusterIssuer" ? namespace : (certificate.metadata?.namespace ?? "");
        const authority = decode(secrets.get(from, issuer.spec.ca?.secretName ?? ""));
        const values = await issue(certificate, issuer, authority, await publicAuthority, previous);
        // What the store now holds is the reason for the next pass, which sets the status.
        await write(certificate, values);
        await setStatus(certificate, { revision: (certificate.status?.revision ?? 0) + 1 });
        const message = "The certificate has been successfully issued";
        await cluster.note(certificate, { type: "Normal", reason: "Issuing", message, component });
    };

    /** @returns when the certificate is to be renewed, if it is there */
    const reconcile = async (certificate: Certificate, namespace: string): Promise<Date | undefined> => {
        const { metadata, spec } = certificate;
        const secret = secrets.get(metadata?.namespace ?? "", spec.secretName);
        const values = decode(secret);
        const annotations = secret?.metadata?.annotations ?? {};
        const owner = annotations["cert-manager.io/certificate-name"] ?? metadata?.name ?? "";
        const rival = owner === metadata?.name ? undefined : objects.get(metadata?.namespace ?? "", owner);
        if (rival?.spec.secretName === spec.secretName) {
            const message = `Secret was issued for "${owner}". If this message is not transient, you might have two conflicting Certificates pointing to the same secret.`;
            const obstacle = { reason: "IncorrectCertificate", message };
            await setWaiting(certificate, obstacle, obstacle);
            return undefined;
        }
        const reason = reasonToIssue(certificate, values && { values, annotations }, new Date());
        if (!reason) {
            return values && setReady(certificate, values);
        }
        const issuer = findIssuer(certificate);
        if (!("spec" in issuer)) {
            await setWaiting(certificate, reason, issuer);
            return undefined;
        }
        try {
            await issueInto(certificate, issuer, values, namespace);
        } catch (error) {
            await setWaiting(certificate, reason, { reason: "Failed", message: (error as Error).message });
            throw error;
        }
        return undefined;
    };

    return {
        name: "certificates",
        reads: [objects, issuers, clusterIssuers, secrets, deployments],
        pass: async () => {
            const namespace = certManagerNamespace(cluster);
            if (namespace === undefined) {
                return undefined;
            }
            const renewals: number[] = [];
            const renew = async (certificate: Certificate): Promise<void> => {
                const renewal = await reconcile(certificate, namespace);
                if (renewal) {
                    renewals.push(renewal.getTime());
                }
            };
            const present = objects.list().filter(({ metadata }) => !metadata?.deletionTimestamp);
            await inOrder(
                () => forEach(clusterIssuers.list(), (issuer) => judge(issuer, namespace)),
                () => forEach(issuers.list(), (issuer) => judge(issuer, issuer.metadata?.namespace ?? "")),
                () => forEach(present, renew),
            );
            return renewals.length > 0 ? Math.max(1000, Math.min(...renewals) - Date.now()) : undefined;
        },
    };
}
