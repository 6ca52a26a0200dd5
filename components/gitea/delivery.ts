import { loadClient, loadKubeConfig } from "../waits/cluster";
import { Gitea } from "./api";
import type { Declaration } from "./declare";

/** Arguments of {@link lostDelivery}. */
export interface Delivery extends Pick<Declaration, "server" | "reached" | "repository" | "administrator"> {
    /** URL of the repository as Argo CD knows it. */
    readonly url: string;
    /** Argo CD's webhook, as Gitea reaches it. */
    readonly webhook: string;
    /** The cluster that Argo CD runs in: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: string;
    /** Seconds for a message to have its effect; Gitea sends one within a second. */
    readonly limit?: number;
}

/** The Application that Argo CD refreshes at each push, whatever the push touches. */
const application = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications";
const refresh = "argocd.argoproj.io/refresh";

/**
 * Watches the root Application until Argo CD refreshes it.
 *
 * @param start called once the watch has begun
 * @returns whether it did within the limit
 */
async function isRefreshed(kubeconfig: string, limit: number, start: () => Promise<void>): Promise<boolean> {
    const client = loadClient();
    const config = loadKubeConfig(client, kubeconfig);
    const { metadata } = await config.makeApiClient(client.CustomObjectsApi).getNamespacedCustomObject({
        ...{ group: "argoproj.io", version: "v1alpha1", namespace: "argocd", plural: "applications", name: "root" },
    });
    const query = { fieldSelector: "metadata.name=root", resourceVersion: metadata.resourceVersion };
    return new Promise((resolve, reject) => {
        let request: AbortController | undefined;
        const end = (settle: () => void) => {
            clearTimeout(timer);
            settle();
            request?.abort();
        };
        const timer = setTimeout(() => end(() => resolve(false)), limit * 1_000);
        const look = (_: string, { metadata: seen }: { metadata?: { annotations?: Record<string, string> } }) => {
            if (seen?.annotations?.[refresh] !== undefined) {
                end(() => resolve(true));
            }
        };
        new client.Watch(config)
            // Also called for the abort, when the promise is settled already.
            .watch(application, query, look, (error) => error && end(() => reject(error)))
            .then((started) => {
                request = started;
                return start();
            })
            .catch((error: unknown) => end(() => reject(error)));
    });
}

/** A URL without the parts that may differ between two names of one repository. */
const repositoryOf = (url: string) => {
    const { hostname, pathname } = new URL(url);
    return `${hostname}${pathname}`.replace(/(\.git)?\/?$/, "").toLowerCase();
};

/**
 * Tests that a push reaches Argo CD: Gitea delivers a test message, and Argo CD refreshes the root Application for it.
 *
 * @returns a sentence with the next step when it does not; undefined when it does
 * @throws GiteaError when Gitea cannot be queried
 */
export async function lostDelivery(delivery: Delivery): Promise<string | undefined> {
    const { server, reached, repository, administrator, url, webhook, kubeconfig, limit = 20 } = delivery;
    const gitea = new Gitea(server, administrator, reached);
    const path = `/repos/${repository.owner}/${repository.name}`;
    const hooks = (await gitea.find<{ id: number; config: { url: string } }[]>(`${path}/hooks?limit=50`)) ?? [];
    const id = hooks.find(({ config }) => config.url === webhook)?.id;
    const test = () =>
        gitea.change<void>("POST", `${path}/hooks/${id}/tests?ref=refs/heads/${encodeURIComponent(repository.branch)}`);
    if (id !== undefined && (await isRefreshed(kubeconfig, limit, test))) {
        return undefined;
    }
    const { html_url: named = url } = (await gitea.find<{ html_url?: string }>(path)) ?? {};
    const reason =
        repositoryOf(named) === repositoryOf(url)
            ? `Its answer is at ${named}/settings/hooks/${id ?? ""} under Recent Deliveries. Let Gitea send to the home's addresses ` +
              "(app.ini: [webhook] ALLOWED_HOST_LIST = private), and set hearth:gitea.webhook to an address of Argo CD's that it reaches."
            : `Its URL for the repository is ${named}, by which Argo CD finds Applications: set its ROOT_URL, or hearth:repository.url.`;
    return (
        `A push to ${url} does not reach Argo CD, which finds commits by polling, up to 3 minutes later: Gitea was asked to send a test ` +
        `to ${webhook}, and within ${limit} s Argo CD refreshed nothing. ${reason}`
    );
}
