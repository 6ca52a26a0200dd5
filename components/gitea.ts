import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/settings";
import { Failure } from "../lib/failure";
import { type Application, valueFilePath } from "./applications";
import type { Account } from "./git";
import { type ClusterValues, overriddenManifest } from "./overrides";
import type { Secrets } from "./secrets";
import { waitFor } from "./wait";

/** A Gitea in which this program declares the home's repository. */
export interface GiteaAccess {
    /** Account that declares it. */
    readonly administrator: pulumi.Input<Account>;
    /** Argo CD's webhook, as Gitea reaches it. */
    readonly webhook: string;
    /** Of the home's own Gitea. */
    readonly own?: {
        /** The cluster that it runs in: path to a kubeconfig, or the contents of one. */
        readonly kubeconfig: pulumi.Input<string>;
        /** Its Service, as Argo CD reaches it. */
        readonly address: string;
        /** Password of the account that merges updates at night; undefined if nobody does. */
        readonly updater?: pulumi.Input<string>;
    };
}

/** Arguments of {@link Gitea}. */
export interface GiteaArgs {
    /** All Applications of the home; Gitea's is `gitops`. */
    readonly applications: readonly Application[];
    /** The stack's configuration. */
    readonly settings: Settings;
    /** The cluster: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
    /** Values that the cluster decides; the charts' defaults when they are not known. */
    readonly values?: pulumi.Input<ClusterValues | undefined>;
    /** The charts' secrets, of which Gitea's has the administrator's password. */
    readonly secrets: Secrets;
}

/** The Application whose chart has Gitea in it. */
const applicationName = "gitops";

/** Seconds for transferring the ownership of its objects to Argo CD. */
const limit = 120;

/** The external Gitea for which the stack has a password. */
export function externalGitea({
    gitea: { administrator: name, password, webhook },
}: Settings): GiteaAccess | undefined {
    return password === undefined ? undefined : { administrator: { name, password }, webhook };
}

/**
 * The home's own Gitea, before Argo CD has a repository to read: a release of the chart of the Application `gitops`,
 * with its name and its values, so that Argo CD adopts it without a change in the cluster. The release is the bootstrap
 * only: an upgrade is a commit, so Pulumi does not change chart version and values. It is complete when the objects
 * exist; consumers of Gitea wait until it answers. https://docs.gitea.com
 */
export class Gitea extends pulumi.ComponentResource {
    /** Access for declaring repositories in it. */
    readonly access: GiteaAccess;

    constructor(name: string, args: GiteaArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Gitea", name, {}, opts);
        const { settings } = args;
        const application = args.applications.find((each) => each.name === applicationName);
        if (application === undefined) {
            throw new Failure(
                `set hearth:repository.url: this cluster has no Application ${applicationName} in ` +
                    `clusters/${settings.cluster}/apps, so it runs no Gitea of its own`,
            );
        }
        const { path, helm } = overriddenManifest(application, settings).spec.sources[0];
        const mergesUpdates = Object(helm?.valuesObject?.["workloads"]).updates?.enabled === true;
        const release = new kubernetes.helm.v3.Release(
            name,
            {
                // Relative to Pulumi.yaml: the same in every checkout.
                chart: `./${path}`,
                name: helm?.releaseName ?? application.name,
                namespace: application.namespace,
                valueYamlFiles: helm?.valueFiles?.map((file) => new pulumi.asset.FileAsset(valueFilePath(path, file))),
                values: pulumi
                    .output(args.values)
                    .apply(
                        (values) =>
                            overriddenManifest(application, settings, values).spec.sources[0].helm?.valuesObject,
                    ),
                // Its runners wait for Gitea, and need not be ready for the repository to exist.
                skipAwait: true,
            },
            { parent: this, ignoreChanges: ["version", "values", "valueYamlFiles"] },
        );
        waitFor(
            `${name}-transfer-ownership`,
            "transfer-ownership",
            {
                kubeconfig: args.kubeconfig,
                limit,
                input: release.resourceNames.apply((objects) => ({ objects })),
            },
            { parent: this, aliases: [{ name: `${name}-hand-over` }] },
        );
        this.access = {
            administrator: pulumi.secret(
                args.secrets
                    .value(application.name, "gitea-admin-password")
                    .apply((password) => ({ name: settings.gitea.administrator, password })),
            ),
            webhook: settings.gitea.webhook,
            own: {
                kubeconfig: args.kubeconfig,
                address: settings.gitea.address,
                updater: mergesUpdates ? args.secrets.value(application.name, "updates-password") : undefined,
            },
        };
        this.registerOutputs({});
    }
}
