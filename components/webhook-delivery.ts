import * as pulumi from "@pulumi/pulumi";
import type { GiteaAccess } from "./gitea";
import { type Delivery, lostDelivery } from "./gitea/delivery";
import { throughCluster } from "./gitea/forward";
import { locate } from "./gitea-repository";

/** Arguments of {@link WebhookDelivery}. */
export interface WebhookDeliveryArgs {
    /** HTTP(S) URL of the repository that Argo CD follows. */
    readonly url: string;
    /** The branch that it follows. */
    readonly branch: string;
    /** The Gitea that the repository is on. */
    readonly gitea: GiteaAccess;
    /** The cluster: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
    /** Known once Argo CD follows the repository. */
    readonly after: pulumi.Input<string>;
    /** Time (ISO 8601) at which the webhook was last declared. */
    readonly declared: pulumi.Input<string>;
}

/**
 * Test of the webhook in each update that declares it: warns if pushes do not reach Argo CD, since the home then works,
 * but with delays.
 */
export class WebhookDelivery extends pulumi.ComponentResource {
    constructor(name: string, args: WebhookDeliveryArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:WebhookDelivery", name, {}, opts);
        const { url, branch, gitea, kubeconfig, after, declared } = args;
        const tested = pulumi
            .all([gitea.administrator, kubeconfig, gitea.own?.kubeconfig, declared, after])
            .apply(async ([administrator, cluster, own, time]) => {
                const isDeclaredNow = Date.parse(time) >= performance.timeOrigin;
                if (pulumi.runtime.isDryRun() || !isDeclaredNow) {
                    return;
                }
                const { owner, repository: name, server } = locate(url);
                const delivery: Delivery = {
                    ...{ server, url, administrator, kubeconfig: cluster, webhook: gitea.webhook },
                    repository: { owner, name, branch },
                };
                const lost = own
                    ? throughCluster(own, (reached) => lostDelivery({ ...delivery, reached }))
                    : lostDelivery(delivery);
                const problem = await lost.catch(
                    (error: unknown) => `The webhook cannot be tested: ${Object(error).message}`,
                );
                if (problem !== undefined) {
                    await pulumi.log.warn(problem, this);
                }
            });
        // The engine waits for outputs: without them, the program would end before the test.
        this.registerOutputs({ tested: pulumi.unsecret(tested) });
    }
}
