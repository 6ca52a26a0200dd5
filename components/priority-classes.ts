import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

/** A home's priorities, below Kubernetes' own system-cluster-critical (2000000000). */
const ranks = {
    infrastructure: {
        value: 1_000_000,
        description: "Dependencies of the other services: storage, certificates, databases.",
    },
    platform: { value: 100_000, description: "Operation of the home: Git, monitoring, the edge." },
    apps: { value: 10_000, description: "Services that people use." },
    backup: {
        value: -10,
        preemptionPolicy: "Never",
        description: "Copies of volumes, which wait until no other pod needs the resources.",
    },
};

/** On a full node, pods of the platform preempt those of apps, and those of the infrastructure both. */
export class PriorityClasses extends pulumi.ComponentResource {
    constructor(name: string, args: Record<string, never>, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:PriorityClasses", name, args, opts);
        for (const [rank, priority] of Object.entries(ranks)) {
            new kubernetes.scheduling.v1.PriorityClass(
                rank,
                { metadata: { name: rank }, ...priority },
                { parent: this },
            );
        }
        this.registerOutputs({});
    }
}
