import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/settings";
import { waitFor } from "./wait";

/**
 * Annotations that make Pulumi wait for an Argo CD Application.
 *
 * Health alone is not enough: an Application that is OutOfSync can be Healthy. Sync and health are not enough either:
 * right after a push both still describe the previous commit. So the revision that they were compared to counts too.
 *
 * @param revisionPath JSONPath of the revision of this repository in the Application's status
 * @param revision full hash of the commit that the Application has to be on
 */
export function gateAnnotations(revisionPath: string, revision: string): Record<string, string> {
    return {
        "hearth/revision": revision,
        "pulumi.com/waitFor": JSON.stringify([
            // Right after an update, Pulumi's plugin may see the object as it was before (pulumi-kubernetes 4.25). If
            // Argo CD was faster, that object would satisfy the wait and be stored in the state: the next run would
            // find a difference.
            `jsonpath={.metadata.annotations['hearth/revision']}=${revision}`,
            `jsonpath={${revisionPath}}=${revision}`,
            "jsonpath={.status.sync.status}=Synced",
            "jsonpath={.status.health.status}=Healthy",
        ]),
    };
}

/** Arguments of {@link createGate}. */
export interface GateArgs {
    /** Names of the Applications that are waited for. */
    readonly applications: readonly string[];
    /** Their place, for the message: "tier 2". */
    readonly where: string;
    /** Full hash of the commit that each has to be on. */
    readonly revision: pulumi.Input<string>;
    /** The wait starts again when one of these changes: `uids` of the tiers. */
    readonly uids?: pulumi.Input<string[]>;
    /** The wait starts again when this changes: {@link GitSource.forcedBack}. */
    readonly forcedBack?: pulumi.Input<string | undefined>;
    /** The cluster: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
    /** The stack's configuration. */
    readonly settings: Settings;
}

/**
 * Watches the same Applications while Pulumi waits for each: refreshes those that have not seen the commit, and reports
 * why one is late. Pulumi's own error only mentions a timeout.
 */
export function createGate(
    name: string,
    { applications, where, revision, uids, forcedBack, kubeconfig, settings }: GateArgs,
    opts: pulumi.CustomResourceOptions,
): command.local.Command {
    return waitFor(
        name,
        "applications",
        {
            kubeconfig,
            limit: seconds(settings.tierTimeout),
            input: pulumi.output({ applications, where, revision, uids, forcedBack }),
        },
        opts,
    );
}

/** Seconds of a duration such as 90s, 10m or 1h. */
export function seconds(duration: string): number {
    return Number.parseInt(duration, 10) * ({ s: 1, m: 60, h: 3600 }[duration.slice(-1)] ?? Number.NaN);
}
