import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { chartSource, releases } from "./releases";
import { retryUntilWebhookAnswers } from "./webhook-retry";

/** Arguments of {@link MetalLB}. */
export interface MetalLBArgs {
    /** Namespace of the release, which exists already; its pods need host networking. */
    readonly namespace: pulumi.Input<string>;
    /** Ranges of IPv4 addresses to hand out, each `first-last` or a CIDR. */
    readonly addresses: pulumi.Input<pulumi.Input<string>[]>;
    /** URL of a Helm repository that takes the upstream one's place. */
    readonly chartRepository?: string;
}

/** MetalLB: gives Services of type LoadBalancer an address of the home's network, announced by ARP. https://metallb.io */
export class MetalLB extends pulumi.ComponentResource {
    constructor(name: string, args: MetalLBArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:MetalLB", name, args, opts);

        const release = new kubernetes.helm.v3.Release(
            name,
            {
                ...chartSource(releases.metallb, args.chartRepository),
                name: "metallb",
                namespace: args.namespace,
                values: {
                    // A home announces by ARP; BGP needs a router that speaks it.
                    speaker: { frr: { enabled: false } },
                    frrk8s: { enabled: false },
                },
            },
            { parent: this },
        );

        const afterController: pulumi.CustomResourceOptions = {
            parent: this,
            dependsOn: release,
            hooks: {
                onError: [
                    retryUntilWebhookAnswers(
                        `${name}-webhook`,
                        "MetalLB",
                        "Check the ranges in hearth:loadBalancer.addresses.",
                    ),
                ],
            },
        };
        const pool = new kubernetes.apiextensions.CustomResource(
            `${name}-pool`,
            {
                apiVersion: "metallb.io/v1beta1",
                kind: "IPAddressPool",
                metadata: { name: "home", namespace: args.namespace },
                spec: { addresses: args.addresses },
            },
            afterController,
        );
        new kubernetes.apiextensions.CustomResource(
            `${name}-advertisement`,
            {
                apiVersion: "metallb.io/v1beta1",
                kind: "L2Advertisement",
                metadata: { name: "home", namespace: args.namespace },
                spec: { ipAddressPools: [pool.metadata.name] },
            },
            afterController,
        );
        this.registerOutputs({});
    }
}
