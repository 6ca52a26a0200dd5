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
    /** The repositories that the home's Applications may come from: Git and Helm, by URL. */
    readonly sourceRepositories: pulumi.Input<pulumi.Input<string>[]>;
    /** URL of a Helm repository that takes the upstream one's place. */
    readonly chartRepository?: string;
}

/**
 * Argo CD, and the AppProject of the home's Applications. The release is the bootstrap only: once the gitops
 * Application has taken over, an upgrade is a commit, so Pulumi leaves chart version and values alone.
 * https://argo-cd.readthedocs.io
 */
export class ArgoCD extends pulumi.ComponentResource {
    /** Name of the AppProject. */
    readonly project: pulumi.Output<string>;

    constructor(name: string, args: ArgoCDArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:ArgoCD", name, args, opts);

        const release = new kubernetes.helm.v3.Release(
            name,
            {
                ...chartSource(releases.argocd, args.chartRepository),
                name: "argocd",
                namespace: args.namespace,
                values: parse(readFileSync(args.valuesFile, "utf8")),
            },
            { parent: this, ignoreChanges: ["version", "values"] },
        );
        const project = new kubernetes.apiextensions.CustomResource(
            `${name}-project`,
            {
                apiVersion: "argoproj.io/v1alpha1",
                kind: "AppProject",
                metadata: { name: "home", namespace: args.namespace },
                spec: {
                    description: "The home's services: from its own repository, into their own namespaces.",
                    sourceRepos: args.sourceRepositories,
                    destinations: [
                        { server: "https://kubernetes.default.svc", namespace: "*" },
                        { server: "https://kubernetes.default.svc", namespace: "!kube-*" },
                    ],
                    clusterResourceWhitelist: [
                        { group: "", kind: "Namespace" },
                        { group: "apiextensions.k8s.io", kind: "CustomResourceDefinition" },
                        { group: "cert-manager.io", kind: "ClusterIssuer" },
                        { group: "rbac.authorization.k8s.io", kind: "ClusterRole" },
                        { group: "rbac.authorization.k8s.io", kind: "ClusterRoleBinding" },
                    ],
                },
            },
            { parent: this, dependsOn: release },
        );
        this.project = project.metadata.name;
        this.registerOutputs({ project: this.project });
    }
}
