import { text } from "node:stream/consumers";
import { type Declaration, declare } from "./declare";
import { throughCluster } from "./forward";

/** Content of standard input: the declaration and, for a Gitea in the cluster, the cluster's kubeconfig. */
export type Input = Declaration & { readonly kubeconfig?: string };

/**
 * Applies the declaration on standard input, as JSON, to Gitea: none of it may be in arguments or the environment.
 * Prints the time (ISO 8601) at which it was declared.
 */
async function main(): Promise<void> {
    const { kubeconfig, ...declaration }: Input = JSON.parse(await text(process.stdin));
    if (kubeconfig === undefined) {
        await declare(declaration);
    } else {
        await throughCluster(kubeconfig, (reached) => declare({ ...declaration, reached }));
    }
    process.stdout.write(`${new Date().toISOString()}\n`);
}

main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
});
