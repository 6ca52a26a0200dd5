import * as pulumi from "@pulumi/pulumi";
import type { WrittenSecret } from "./secrets";
import { waitFor } from "./wait";

/** Seconds until every consumer of a changed secret has to run with the new value. */
const limit = 600;

/** Arguments of {@link SecretUsers}. */
export interface SecretUsersArgs {
    /** The charts' Secrets. */
    readonly secrets: readonly WrittenSecret[];
    /** Path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
}

/** Each Secret after those whose values it includes: a database has its new password before the app that uses it. */
function inOrder(secrets: readonly WrittenSecret[]): WrittenSecret[] {
    return secrets.toSorted((a, b) => Math.sign(a.from.length) - Math.sign(b.from.length));
}

/**
 * When a secret changes: pods that use it restart, Jobs that use it rerun, and nothing else does. Workloads that do not
 * run yet are not waited for.
 */
export class SecretUsers extends pulumi.ComponentResource {
    constructor(name: string, { secrets, kubeconfig }: SecretUsersArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:SecretUsers", name, {}, opts);
        const ordered = inOrder(secrets);
        waitFor(
            name,
            "secret-users",
            {
                kubeconfig,
                limit,
                input: pulumi.all(ordered.map(({ digest }) => digest)).apply((digests) => ({
                    secrets: ordered.map(({ namespace, name: secret }) => ({ namespace, name: secret })),
                    digests,
                })),
            },
            { parent: this },
        );
        this.registerOutputs({});
    }
}
