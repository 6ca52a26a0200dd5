import type { Certificate, IssuerReference } from "./cert-manager-types";
import { certManagerNamespace } from "./certificates";
import type { Cluster } from "./cluster";
import type { V1Ingress } from "./kubernetes-types";
import { type Controller, forEach } from "./loop";
import { resources } from "./resources";

const component = "cert-manager-ingress-shim";

/** The issuer that an Ingress names by annotation, if it names one. */
function issuerOf({ metadata }: V1Ingress): IssuerReference | undefined {
    const annotations = metadata?.annotations ?? {};
    const [cluster, namespaced] = [
        annotations["cert-manager.io/cluster-issuer"],
        annotations["cert-manager.io/issuer"],
    ];
    if (!cluster && !namespaced) {
        return undefined;
    }
    return {
        name: cluster ?? namespaced ?? "",
        kind: annotations["cert-manager.io/issuer-kind"] ?? (cluster ? "ClusterIssuer" : "Issuer"),
        group: annotations["cert-manager.io/issuer-group"] ?? "cert-manager.io",
    };
}

/** The Certificates that an Ingress asks for, and what is wrong with how it asks. */
export function wantedCertificates(ingress: V1Ingress): {
    readonly certificates: readonly Certificate[];
    readonly mistake?: string;
} {
    const { apiVersion, kind, metadata, spec } = ingress;
    const issuerRef = issuerOf(ingress);
    if (!issuerRef) {
        return { certificates: [] };
    }
    const annotations = metadata?.annotations ?? {};
    if (annotations["cert-manager.io/cluster-issuer"] && annotations["cert-manager.io/issuer"]) {
        const mistake =
            "Could not determine issuer for ingress due to bad annotations: both " +
            '"cert-manager.io/issuer" and "cert-manager.io/cluster-issuer" may not be set';
        return { certificates: [], mistake };
    }
    const blocks = spec?.tls ?? [];
    const incomplete = blocks.findIndex(({ hosts, secretName }) => !secretName || !hosts?.length);
    const field = blocks[incomplete]?.secretName ? "hosts" : "secretName";
    const certificates = blocks
        .filter(({ hosts, secretName }) => secretName && hosts?.length)
        .map(({ hosts = [], secretName = "" }) => ({
            metadata: {
                name: secretName,
                namespace: metadata?.namespace,
                labels: metadata?.labels,
                ownerReferences: [
                    {
                        apiVersion: apiVersion ?? "networking.k8s.io/v1",
                        kind: kind ?? "Ingress",
                        name: metadata?.name ?? "",
                        uid: metadata?.uid ?? "",
                        controller: true,
                        blockOwnerDeletion: true,
                    },
                ],
            },
            spec: {
                dnsNames: hosts,
                secretName,
                issuerRef,
                usages: ["digital signature", "key encipherment"],
                ...Object.fromEntries(
                    [
                        ["commonName", annotations["cert-manager.io/common-name"]],
                        ["duration", annotations["cert-manager.io/duration"]],
                        ["renewBefore", annotations["cert-manager.io/renew-before"]],
                    ].filter(([, value]) => value),
                ),
            },
        }));
    return incomplete === -1
        ? { certificates }
        : { certificates, mistake: `spec.tls[${incomplete}].${field}: Required value` };
}

/** Whether a Certificate is as an Ingress wants it. */
function isAsWanted(held: Certificate, wanted: Certificate): boolean {
    const part = ({ metadata, spec }: Certificate) =>
        JSON.stringify([
            spec.dnsNames,
            spec.secretName,
            [spec.issuerRef.name, spec.issuerRef.kind, spec.issuerRef.group],
            spec.commonName,
            spec.duration,
            spec.renewBefore,
            Object.entries(metadata?.labels ?? {}).sort(),
        ]);
    return part(held) === part(wanted);
}

const isOwnedBy = ({ metadata }: Certificate, ingress: V1Ingress) =>
    metadata?.ownerReferences?.some(({ uid, controller }) => controller && uid === ingress.metadata?.uid) ?? false;

/** Makes a Certificate for each TLS block of an Ingress that names an issuer, as cert-manager's ingress-shim does. */
export function ingressShim(cluster: Cluster): Controller {
    const ingresses = cluster.store(resources.ingresses);
    const certificates = cluster.store(resources.certificates);
    const deployments = cluster.store(resources.deployments);

    const ensure = async (ingress: V1Ingress, wanted: Certificate): Promise<void> => {
        const { name = "", namespace = "" } = wanted.metadata ?? {};
        const held = certificates.get(namespace, name);
        if (held && (!isOwnedBy(held, ingress) || isAsWanted(held, wanted))) {
            return;
        }
        await cluster.apply(resources.certificates, wanted);
        const [reason, verb] = held ? ["UpdateCertificate", "updated"] : ["CreateCertificate", "created"];
        const message = `Successfully ${verb} Certificate "${name}"`;
        await cluster.note(ingress, { type: "Normal", reason, message, component });
    };

    return {
        name: "ingress-shim",
        reads: [ingresses, certificates, deployments],
        pass: async () => {
            if (certManagerNamespace(cluster) === undefined) {
                return undefined;
            }
            await forEach(
                ingresses.list().filter(({ metadata }) => !metadata?.deletionTimestamp),
                async (ingress) => {
                    const { certificates: wanted, mistake } = wantedCertificates(ingress);
                    if (mistake) {
                        await cluster.note(ingress, {
                            type: "Warning",
                            reason: "BadConfig",
                            message: mistake,
                            component,
                        });
                    }
                    await forEach(wanted, (each) => ensure(ingress, each));
                    const names = wanted.map(({ metadata }) => metadata?.name);
                    const left = certificates
                        .list()
                        .filter((each) => isOwnedBy(each, ingress) && !names.includes(each.metadata?.name));
                    await forEach(left, (each) => cluster.delete(resources.certificates, each));
                },
            );
            return undefined;
        },
    };
}
