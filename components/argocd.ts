import { readFileSync } from "node:fs";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { chartSource, releases } from "./releases";

/** Arguments of {@link ArgoCD}. */
export interface ArgoCDArgs {
    /** Namespace of the release, which exists already; Applications live in it. */
    readonly namespace: pulumi.Input<string>;
    /** Path of the values file that the gitops Application uses too. */
    readonly valuesFile: string;
    /** URL of a Helm repository that takes the upstream one's place. */
    readonly chartRepository?: string;
}

/**
 * Argo CD. The release is the bootstrap only: once the gitops Application has taken over, an upgrade is a commit, so
 * Pulumi leaves chart version and values alone.
 * https://argo-cd.readthedocs.io
 */
export class ArgoCD extends pulumi.ComponentResource {
    constructor(name: string, args: ArgoCDArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:ArgoCD", name, args, opts);

        new kubernetes.helm.v3.Release(
            name,
            {
                ...chartSource(releases.argocd, args.chartRepository),
                name: "argocd",
                namespace: args.namespace,
                values: parse(readFileSync(args.valuesFile, "utf8")),
            },
            { parent: this, ignoreChanges: ["version", "values"] },
        );
        this.registerOutputs({});
    }
}
