import { createHash } from "node:crypto";
import type { KubeObject, Resource } from "./api";
import type { Cluster } from "./cluster";
import type { V1ObjectMeta, V1ValidatingWebhook } from "./kubernetes-types";
import { type Controller, forEach } from "./loop";
import { resources } from "./resources";
import type { Store } from "./store";
import type { WebhookServer } from "./webhook-server";

/** A ValidatingWebhookConfiguration or a MutatingWebhookConfiguration, in what they have in common. */
interface WebhookConfiguration {
    readonly apiVersion?: string;
    readonly kind?: string;
    readonly metadata?: V1ObjectMeta;
    readonly webhooks?: readonly V1ValidatingWebhook[];
}

/** The name of the configuration that stands for another, and of the annotation that says for which version of it. */
const prefix = "hearth-sandbox-";
const madeFrom = "hearth-sandbox/made-from";

/** What switches a webhook off without a change to anything that its chart sets. */
const never = { name: "the-sandbox-answers", expression: "false" };

/** API groups whose webhooks are answered here; others stay as they are, and out of reach. */
const groups = ["metallb.io", "cert-manager.io", "acme.cert-manager.io"];

const isAnswered = ({ clientConfig, rules }: V1ValidatingWebhook) =>
    clientConfig.service !== undefined &&
    (rules ?? []).every(({ apiGroups }) => (apiGroups ?? []).every((group) => groups.includes(group)));

const isSwitchedOff = ({ matchConditions }: V1ValidatingWebhook) =>
    matchConditions?.some(({ name }) => name === never.name) ?? false;

/** A webhook that asks the sandbox's server what the original would ask its Service. */
export function redirect(
    { clientConfig, matchConditions, ...rest }: V1ValidatingWebhook,
    { url, caBundle }: Pick<WebhookServer, "url" | "caBundle">,
): V1ValidatingWebhook {
    const { namespace = "", name = "", path = "/" } = clientConfig.service ?? {};
    const conditions = matchConditions?.filter((each) => each.name !== never.name) ?? [];
    return {
        ...rest,
        ...(conditions.length > 0 ? { matchConditions: conditions } : {}),
        clientConfig: { url: url({ namespace, name }, path), caBundle },
    };
}

/**
 * Has the webhooks of MetalLB and cert-manager answered, whose pods run nothing here. Beside each configuration that
 * points at a Service it keeps another that points at the sandbox's server, and switches the original off. The original
 * is not rewritten: an upgrade by Helm would put the Service back beside the URL, which the API server refuses.
 */
export function webhooks(cluster: Cluster, server: WebhookServer): Controller {
    const stores = [resources.validatingWebhooks, resources.mutatingWebhooks].map(
        (resource) => cluster.store(resource as Resource) as Store<WebhookConfiguration>,
    );
    const answer = async (store: Store<WebhookConfiguration>, original: WebhookConfiguration): Promise<void> => {
        const { name = "", uid = "" } = original.metadata ?? {};
        const answered = (original.webhooks ?? []).filter(isAnswered);
        if (answered.length === 0) {
            return;
        }
        const redirected = answered.map((each) => redirect(each, server));
        const version = createHash("sha256").update(JSON.stringify(redirected)).digest("hex");
        const twin = store.get("", prefix + name);
        if (twin?.metadata?.annotations?.[madeFrom] !== version) {
            await cluster.apply(store.resource, {
                metadata: {
                    name: prefix + name,
                    annotations: { [madeFrom]: version },
                    // It goes with the original.
                    ownerReferences: [{ apiVersion: store.resource.apiVersion, kind: store.resource.kind, name, uid }],
                },
                webhooks: redirected,
            } as KubeObject);
        }
        if (!answered.every(isSwitchedOff)) {
            await cluster.apply(store.resource, {
                metadata: { name, uid },
                webhooks: answered.map((each) => ({ name: each.name, matchConditions: [never] })),
            } as KubeObject);
        }
    };
    return {
        name: "webhooks",
        reads: stores,
        pass: async () => {
            await forEach(stores, async (store) => {
                const originals = store.list().filter(({ metadata }) => !metadata?.name?.startsWith(prefix));
                await forEach(originals, (original) => answer(store, original));
            });
            return undefined;
        },
    };
}
