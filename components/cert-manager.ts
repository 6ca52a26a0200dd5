import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { chartSource, releases } from "./releases";
import { waitFor } from "./wait";

/** Arguments of {@link CertManager}. */
export interface CertManagerArgs {
    /** Namespace of the release, which exists already. */
    readonly namespace: pulumi.Input<string>;
    /** UID of the namespace. It differs in a rebuilt cluster, so the wait for the webhook runs again. */
    readonly namespaceUid: pulumi.Input<string | undefined>;
    /** The cluster: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
    /** URL of a Helm repository to use instead of the upstream one. */
    readonly chartRepository?: string;
}

/**
 * cert-manager, and the self-signed issuer from which charts/cert-manager creates the home's own CA. It is complete
 * when the webhook has admitted that issuer and the issuer is ready, so that dependents can create issuers and
 * certificates. https://cert-manager.io
 */
export class CertManager extends pulumi.ComponentResource {
    constructor(name: string, args: CertManagerArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:CertManager", name, args, opts);

        const release = new kubernetes.helm.v3.Release(
            name,
            {
                ...chartSource(releases.certManager, args.chartRepository),
                name: "cert-manager",
                namespace: args.namespace,
                values: {
                    // Kept on uninstall: deleting the CRDs would delete every certificate of the home.
                    crds: { enabled: true, keep: true },
                    global: { priorityClassName: "infrastructure" },
                    // The home's own DNS answers for the home's names, so only a resolver outside can confirm that a
                    // DNS-01 record is published.
                    dns01RecursiveNameservers: "9.9.9.9:53,1.1.1.1:53",
                    dns01RecursiveNameserversOnly: true,
                    // In: the webhook and metrics. Out: the API server, DNS, and Let's Encrypt.
                    networkPolicy: { enabled: true },
                    webhook: { networkPolicy: { enabled: true } },
                    cainjector: { networkPolicy: { enabled: true } },
                },
            },
            { parent: this },
        );
        const issuer = {
            apiVersion: "cert-manager.io/v1",
            kind: "ClusterIssuer",
            metadata: { name: "selfsigned", annotations: { "pulumi.com/waitFor": "condition=Ready" } },
            spec: { selfSigned: {} },
        };
        // The release is ready before its webhook can be reached; an issuer that is created too early is an error.
        const webhook = waitFor(
            `${name}-webhook`,
            "webhook",
            {
                kubeconfig: args.kubeconfig,
                limit: 300,
                input: { owner: "cert-manager", object: issuer, namespaceUid: args.namespaceUid },
            },
            { parent: this, dependsOn: release },
        );
        new kubernetes.apiextensions.CustomResource(`${name}-selfsigned`, issuer, { parent: this, dependsOn: webhook });
        this.registerOutputs({});
    }
}
