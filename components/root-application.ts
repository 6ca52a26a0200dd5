import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/settings";
import type { Application } from "./applications";
import { createGate, gateAnnotations } from "./gate";
import { type ClusterValues, kustomizePatches } from "./overrides";

/** Arguments of {@link RootApplication}. */
export interface RootApplicationArgs {
    /** All Applications of the home, as the checkout defines them. */
    readonly applications: readonly Application[];
    /** Full hash of the commit that the root Application has to be on. */
    readonly revision: pulumi.Input<string>;
    /** {@link Tier.uids} of all tiers: root has to adopt those that were recreated. */
    readonly uids: pulumi.Input<string[]>;
    /** A change restarts the wait: {@link GitSource.forcedBack}. */
    readonly forcedBack?: pulumi.Input<string | undefined>;
    /** The cluster: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
    /** The stack's configuration. */
    readonly settings: Settings;
    /** Values that the cluster decides; the charts' defaults when they are not known. */
    readonly values?: pulumi.Input<ClusterValues | undefined>;
}

/**
 * The Application of Applications: from now on Argo CD keeps clusters/<cluster> as it is in Git. Its patches replace
 * the manifests' literal defaults with the stack's values, as the tiers do.
 */
export class RootApplication extends pulumi.ComponentResource {
    /** Known once the root Application is Synced and Healthy. */
    readonly ready: pulumi.Output<string>;

    constructor(name: string, args: RootApplicationArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:RootApplication", name, {}, opts);
        const { applications, settings } = args;
        const path = `clusters/${settings.cluster}`;
        new kubernetes.apiextensions.CustomResource(
            name,
            {
                apiVersion: "argoproj.io/v1alpha1",
                kind: "Application",
                metadata: {
                    name: "root",
                    namespace: "argocd",
                    // Without manifest-generate-paths, with which Argo CD never syncs a commit that comes while it is
                    // syncing the one before (https://github.com/argoproj/argo-cd/issues/27875): these few files cost
                    // little to render at each commit.
                    annotations: pulumi
                        .output(args.revision)
                        .apply((revision) => gateAnnotations(".status.sync.revision", revision)),
                },
                spec: {
                    project: "root",
                    destination: { server: "https://kubernetes.default.svc", namespace: "argocd" },
                    source: {
                        repoURL: settings.repository.url,
                        targetRevision: settings.repository.revision,
                        path,
                        kustomize: {
                            patches: pulumi
                                .output(args.values)
                                .apply((values) => kustomizePatches(applications, settings, values)),
                        },
                    },
                    syncPolicy: {
                        automated: { prune: true, selfHeal: false },
                        syncOptions: ["ServerSideApply=true", "Validate=false"],
                        retry: {
                            limit: 5,
                            refresh: true,
                            backoff: { duration: "5s", factor: 2, maxDuration: "1m" },
                        },
                    },
                },
            },
            {
                parent: this,
                customTimeouts: { create: settings.tierTimeout, update: settings.tierTimeout },
            },
        );
        const gate = createGate(
            `${name}-gate`,
            {
                applications: ["root"],
                where: "the Application of Applications",
                revision: args.revision,
                uids: args.uids,
                forcedBack: args.forcedBack,
                kubeconfig: args.kubeconfig,
                settings,
            },
            { parent: this },
        );
        this.ready = gate.id;
        this.registerOutputs({});
    }
}
