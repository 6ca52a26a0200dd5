import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/settings";
import type { Application, TierNumber } from "./applications";
import { createGate, gateAnnotations } from "./gate";
import { type ClusterValues, overriddenManifest } from "./overrides";
import { waitFor } from "./wait";

/** Seconds for the API server to accept a refresh of every Application. */
const refreshLimit = 60;

/** Arguments of {@link Tier}. */
export interface TierArgs {
    /** Number of the tier: 1, 2 or 3. */
    readonly tier: TierNumber;
    /** All Applications of the home; the tier takes its own. */
    readonly applications: readonly Application[];
    /** Full hash of the commit that every Application has to be on. */
    readonly revision: pulumi.Input<string>;
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
 * One tier of Applications, started in parallel. Its dependents wait until each of them is Synced and Healthy
 * on the pushed revision; if one is not in time, the tier fails, and nothing that depends on it starts.
 */
export class Tier extends pulumi.ComponentResource {
    /** UIDs, to detect an Application that was deleted and recreated. */
    readonly uids: pulumi.Output<string[]>;

    constructor(name: string, args: TierArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Tier", name, { tier: args.tier }, opts);
        const { settings, tier } = args;
        const applications = args.applications.filter((each) => each.tier === tier);
        const names = applications.map((each) => each.name);
        // Pulumi runs a limited number of steps at a time, and an Application that waits for its revision occupies one:
        // all of them may wait before the gate, which refreshes them, can start. So they are refreshed first.
        const refresh = waitFor(
            `${name}-refresh`,
            "refresh",
            {
                kubeconfig: args.kubeconfig,
                limit: refreshLimit,
                input: pulumi.output({
                    applications: names,
                    revision: args.revision,
                    forcedBack: args.forcedBack,
                }),
            },
            { parent: this },
        );
        // Children do not repeat the tier's dependencies, since each waits for its parent: N Applications with N
        // dependencies each would be N² lines of the state, which Pulumi rewrites after each step.
        const resources = applications.map((application) => {
            const manifest = overriddenManifest(application, settings);
            return new kubernetes.apiextensions.CustomResource(
                application.name,
                {
                    ...manifest,
                    spec: pulumi
                        .output(args.values)
                        .apply((values) => overriddenManifest(application, settings, values).spec),
                    metadata: {
                        ...manifest.metadata,
                        annotations: pulumi.output(args.revision).apply((revision) => ({
                            ...manifest.metadata.annotations,
                            ...gateAnnotations(".status.sync.revisions[0]", revision),
                        })),
                    },
                },
                {
                    parent: this,
                    dependsOn: refresh,
                    customTimeouts: { create: settings.tierTimeout, update: settings.tierTimeout },
                },
            );
        });
        this.uids = pulumi.all(resources.map((each) => each.metadata.apply(({ uid }) => uid)));
        createGate(
            `${name}-gate`,
            {
                applications: names,
                where: `tier ${tier}`,
                revision: args.revision,
                forcedBack: args.forcedBack,
                kubeconfig: args.kubeconfig,
                settings,
            },
            { parent: this },
        );
        this.registerOutputs({ uids: this.uids });
    }
}
