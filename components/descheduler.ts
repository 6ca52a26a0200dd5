import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { chartSource, releases } from "./releases";

/** Arguments of {@link Descheduler}. */
export interface DeschedulerArgs {
    /** URL of a Helm repository to use instead of the upstream one. */
    readonly chartRepository?: string;
}

/**
 * The descheduler: evicts pods from nodes that the scheduler would no longer choose, for instance after an outage of a
 * node. https://github.com/kubernetes-sigs/descheduler
 */
export class Descheduler extends pulumi.ComponentResource {
    constructor(name: string, args: DeschedulerArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Descheduler", name, args, opts);
        new kubernetes.helm.v3.Release(
            name,
            {
                ...chartSource(releases.descheduler, args.chartRepository),
                name: "descheduler",
                namespace: "kube-system",
                values: { kind: "CronJob", schedule: "*/10 * * * *" },
            },
            { parent: this },
        );
        this.registerOutputs({});
    }
}
