import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

/** A home's priorities, below Kubernetes' own system-cluster-critical (2000000000). */
const ranks = {
    infrastructure: {
        value: 1_000_000,
        description: "What the other services need: storage, certificates, databases.",
    },
    platform: { value: 100_000, description: "What runs and watches the home: Git, monitoring, the edge." },
    apps: { value: 10_000, description: "What people use." },
    backup: {
        value: -10,
        preemptionPolicy: "Never",
        description: "Copies of volumes: they wait until nothing else needs the room.",
    },
};

/** When a node is full, apps make room for the platform, and the platform for the infrastructure. */
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
