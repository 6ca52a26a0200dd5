import { waitForApplications } from "./applications";
import { failWith } from "./cluster";
import { refreshApplications } from "./refresh";
import { restartSecretUsers } from "./secret-users";
import { transferOwnership } from "./transfer-ownership";
import { waitForWebhook } from "./webhook";

/** Waits by name, each with the beginning of its message for an unexpected error. */
const waits = {
    applications: [waitForApplications, "The Applications cannot be watched"],
    "transfer-ownership": [transferOwnership, "The ownership of Gitea's objects cannot be transferred to Argo CD"],
    refresh: [refreshApplications, "The Applications cannot be refreshed"],
    "secret-users": [restartSecretUsers, "The pods that use changed secrets cannot be restarted"],
    webhook: [waitForWebhook, "The webhook cannot be checked"],
} as const satisfies Record<string, readonly [() => Promise<void>, string]>;

/** Name of a wait. */
export type WaitName = keyof typeof waits;

const [wait, failure] = waits[process.argv[2] as WaitName];
wait().catch(failWith(failure));
