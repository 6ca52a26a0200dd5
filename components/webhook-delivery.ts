import * as pulumi from "@pulumi/pulumi";
import type { GiteaAccess } from "./gitea";
import { type Delivery, lostDelivery } from "./gitea/delivery";
import { throughCluster } from "./gitea/forward";
import { locate } from "./gitea-repository";

/** Arguments of {@link testWebhook}. */
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
}

/** Warns in each update whose test message about a push does not reach Argo CD: the home works, and follows pushes late. */
export function testWebhook({ url, branch, gitea, kubeconfig, after }: WebhookDeliveryArgs): void {
    if (pulumi.runtime.isDryRun()) {
        return;
    }
    pulumi
        .all([gitea.administrator, kubeconfig, gitea.own?.kubeconfig, after])
        .apply(async ([administrator, cluster, own]) => {
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
                await pulumi.log.warn(problem);
            }
        });
}
