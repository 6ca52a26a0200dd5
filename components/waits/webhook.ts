import { setTimeout } from "node:timers/promises";
import { judgeAnswer } from "../webhook-answer";
import {
    fail,
    failIfCertificateIsRefused,
    type KubernetesObject,
    loadClient,
    loadKubeConfig,
    messageOf,
    readInput,
    type WaitInput,
} from "./cluster";

/** Input of this wait. */
interface Input extends WaitInput {
    /** Owner of the webhook, for the message: "MetalLB". */
    readonly owner: string;
    /** Object for a dry run that the webhook has to admit. */
    readonly object: KubernetesObject;
}

/** Milliseconds between two requests. */
const interval = 500;

/** Waits until an operator's webhook answers, by dry-run creations of an object. */
export async function waitForWebhook(): Promise<void> {
    const { kubeconfig, limit, owner, object } = await readInput<Input>();
    const client = loadClient();
    const api = loadKubeConfig(client, kubeconfig).makeApiClient(client.KubernetesObjectApi);
    const start = Date.now();
    for (;;) {
        const error = await api.create(object, undefined, "All").then(
            () => undefined,
            (reason: unknown) => reason,
        );
        failIfCertificateIsRefused(error);
        const text = messageOf(error);
        const answer = judgeAnswer(error === undefined ? undefined : text);
        if (answer === "admitted") {
            return;
        }
        if (answer === "refused") {
            fail(`${owner} refuses the object ${object.kind} ${object.metadata?.name}:\n  ${text}`);
        }
        if (Date.now() - start > limit * 1_000) {
            fail(
                `The API server has not reached ${owner}'s webhook for ${limit} seconds, though its release is ready:\n` +
                    `  ${text}\nDoes a network policy or a firewall keep the control plane from the webhook's pod? Inspect it with:\n` +
                    "  kubectl get validatingwebhookconfigurations,endpointslices --all-namespaces",
            );
        }
        await setTimeout(interval);
    }
}
