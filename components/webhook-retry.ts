import { setTimeout } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";

/** How long a webhook may take to answer after its release is ready, in milliseconds. */
const limit = 5 * 60_000;

/** Between two tries, in milliseconds. */
const interval = 3_000;

/** What an API server says when it cannot reach a webhook, as opposed to a webhook that refuses an object. */
const unreachable = /failed calling webhook|failed to call webhook|conversion webhook .* failed/i;

/**
 * What to do about a failed operation on a custom resource: the API server reaches a webhook some seconds after the
 * webhook's pod is ready (its certificate has to be injected, its endpoints to be programmed), or never, if a network
 * policy is in the way.
 *
 * @param error text of the failed operation
 * @param waited milliseconds since the first failure
 */
export function judgeWebhook(error: string, waited: number): "retry" | "refused" | "silent" {
    if (!unreachable.test(error)) {
        return "refused";
    }
    return waited < limit ? "retry" : "silent";
}

/**
 * A hook that repeats the creation of a custom resource until its operator's webhook answers, for 5 minutes at most.
 *
 * @param name unique name of the hook
 * @param owner whose webhook it is, for the message
 * @param refusedHint what to check when the webhook answers and refuses
 */
export function retryUntilWebhookAnswers(name: string, owner: string, refusedHint: string): pulumi.ErrorHook {
    const firstFailure = new Map<pulumi.URN, number>();
    return new pulumi.ErrorHook(name, async ({ urn, errors }) => {
        const now = Date.now();
        const since = firstFailure.get(urn) ?? now;
        firstFailure.set(urn, since);
        const verdict = judgeWebhook(errors[0] ?? "", now - since);
        if (verdict === "retry") {
            await setTimeout(interval);
            return true;
        }
        await pulumi.log.error(
            verdict === "silent"
                ? `The API server has not reached ${owner}'s webhook for ${limit / 60_000} minutes, though its release is ` +
                      "ready. Does a network policy or a firewall block the control plane from the webhook's pod? " +
                      "Look with: kubectl get validatingwebhookconfigurations,endpointslices -A"
                : `${owner} answered and refused the object. ${refusedHint}`,
        );
        return false;
    });
}
