import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { chartSource, releases } from "./releases";
import { waitFor } from "./wait";

/** Arguments of {@link MetalLB}. */
export interface MetalLBArgs {
    /** Namespace of the release, which exists already; its pods need host networking. */
    readonly namespace: pulumi.Input<string>;
    /** UID of the namespace. It differs in a rebuilt cluster, so the wait for the webhook runs again. */
    readonly namespaceUid: pulumi.Input<string | undefined>;
    /** The cluster: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
    /** Ranges of IPv4 addresses to assign, each `first-last` or a CIDR. */
    readonly addresses: pulumi.Input<pulumi.Input<string>[]>;
    /** URL of a Helm repository to use instead of the upstream one. */
    readonly chartRepository?: string;
}

/**
 * MetalLB: gives Services of type LoadBalancer an address of the home's network, announced by ARP. https://metallb.io
 */
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
                    // A home announces by ARP; BGP would need a router that supports it.
                    speaker: { frr: { enabled: false } },
                    frrk8s: { enabled: false },
                    // The controller is reached at its webhook, and reaches the API server only at k3s's port. The
                    // speaker is in the nodes' network, where no policy applies.
                    networkpolicies: { enabled: true, defaultDeny: true, apiPort: 6443 },
                },
            },
            { parent: this },
        );

        const pool = {
            apiVersion: "metallb.io/v1beta1",
            kind: "IPAddressPool",
            metadata: { name: "home", namespace: args.namespace },
            // Most homes' networks end in .0 and .255: 192.168.1.240/28 includes one of them.
            spec: { addresses: args.addresses, avoidBuggyIPs: true },
        };
        // The release is ready before its webhook can be reached; a pool that is created too early is an error.
        const webhook = waitFor(
            `${name}-webhook`,
            "webhook",
            {
                kubeconfig: args.kubeconfig,
                limit: 300,
                input: { owner: "MetalLB", object: pool, namespaceUid: args.namespaceUid },
            },
            { parent: this, dependsOn: release },
        );
        const { metadata } = new kubernetes.apiextensions.CustomResource(`${name}-pool`, pool, {
            parent: this,
            dependsOn: webhook,
        });
        new kubernetes.apiextensions.CustomResource(
            `${name}-advertisement`,
            {
                apiVersion: "metallb.io/v1beta1",
                kind: "L2Advertisement",
                metadata: { name: "home", namespace: args.namespace },
                spec: { ipAddressPools: [metadata.name] },
            },
            { parent: this, dependsOn: webhook },
        );
        this.registerOutputs({});
    }
}
