import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/settings";
import { reportFailure } from "./application-failure";
import type { Application, Tier as TierNumber } from "./applications";
import { gateAnnotations } from "./gate";
import { overriddenManifest } from "./overrides";

/** Arguments of {@link Tier}. */
export interface TierArgs {
    /** Which tier: 1, 2 or 3. */
    readonly tier: TierNumber;
    /** All Applications of the home; the tier takes its own. */
    readonly applications: readonly Application[];
    /** Full hash of the commit that every Application has to be on. */
    readonly revision: pulumi.Input<string>;
    /** The stack's configuration. */
    readonly settings: Settings;
}

/**
 * One tier of Applications, started side by side. Whoever depends on it waits until each of them is Synced and Healthy
 * on the pushed revision; if one is not in time, the tier fails, and nothing that depends on it starts.
 */
export class Tier extends pulumi.ComponentResource {
    constructor(name: string, args: TierArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Tier", name, { tier: args.tier }, opts);
        const { settings, tier } = args;
        const failure = reportFailure(`${name}-failure`, `tier ${tier}`, settings.kubeconfig);

        for (const application of args.applications.filter((each) => each.tier === tier)) {
            const manifest = overriddenManifest(application, settings);
            new kubernetes.apiextensions.CustomResource(
                application.name,
                {
                    ...manifest,
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
                    // The tier waits already, and its children with it; this puts the edges into the state too, for
                    // whatever reads the graph there.
                    dependsOn: opts?.dependsOn,
                    customTimeouts: { create: settings.tierTimeout, update: settings.tierTimeout },
                    hooks: { onError: [failure] },
                },
            );
        }
        this.registerOutputs({});
    }
}
