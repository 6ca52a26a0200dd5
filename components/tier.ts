import { setTimeout } from "node:timers/promises";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/settings";
import type { Application, Tier as TierNumber } from "./applications";
import { explainedGate, gateAnnotations } from "./gate";
import { overriddenManifest } from "./overrides";

/** Arguments of {@link Tier}. */
export interface TierArgs {
    /** Which tier: 1, 2 or 3. */
    readonly tier: TierNumber;
    /** All Applications of the home; the tier takes its own. */
    readonly applications: readonly Application[];
    /** Full hash of the commit that every Application has to be on. */
    readonly revision: pulumi.Input<string>;
    /** The cluster: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
    /** The stack's configuration. */
    readonly settings: Settings;
    /** Architectures of the nodes; amd64 and arm64 when they are not known. */
    readonly architectures?: pulumi.Input<readonly string[] | undefined>;
}

/**
 * One tier of Applications, started side by side. Whoever depends on it waits until each of them is Synced and Healthy
 * on the pushed revision; if one is not in time, the tier fails, and nothing that depends on it starts.
 */
export class Tier extends pulumi.ComponentResource {
    /** What tells an Application from one of the same name that was made anew. */
    readonly uids: pulumi.Output<string[]>;

    constructor(name: string, args: TierArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Tier", name, { tier: args.tier }, opts);
        const { settings, tier } = args;
        const applications = args.applications.filter((each) => each.tier === tier);
        // Pulumi does a limited number of things at a time, and an Application that is late keeps its place. So no Application
        // is registered before the gate, which has Argo CD refresh them. Pulumi compares resources in parallel, so that the
        // order of registration alone does not hold: the gate gets a second to start.
        const revision = pulumi.all([args.revision, args.architectures]).apply(async ([known]) => {
            await setTimeout(pulumi.runtime.isDryRun() ? 0 : 1_000);
            return known;
        });
        // No child repeats what the tier depends on, since each waits for its parent: N Applications that name N others
        // would be N² lines of the state, which Pulumi writes whole after each step.
        const resources = applications.map((application) => {
            const manifest = overriddenManifest(application, settings);
            return new kubernetes.apiextensions.CustomResource(
                application.name,
                {
                    ...manifest,
                    spec: pulumi
                        .output(args.architectures)
                        .apply((architectures) => overriddenManifest(application, settings, architectures).spec),
                    metadata: {
                        ...manifest.metadata,
                        annotations: revision.apply((known) => ({
                            ...manifest.metadata.annotations,
                            ...gateAnnotations(".status.sync.revisions[0]", known),
                        })),
                    },
                },
                {
                    parent: this,
                    customTimeouts: { create: settings.tierTimeout, update: settings.tierTimeout },
                },
            );
        });
        this.uids = pulumi.all(resources.map((each) => each.metadata.apply(({ uid }) => uid)));
        explainedGate(
            `${name}-gate`,
            {
                applications: applications.map((each) => each.name),
                where: `tier ${tier}`,
                revision: args.revision,
                kubeconfig: args.kubeconfig,
                settings,
            },
            { parent: this },
        );
        this.registerOutputs({ uids: this.uids });
    }
}
