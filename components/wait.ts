import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { WaitName } from "./waits/main";

/** Arguments of {@link waitFor}. */
export interface WaitArgs {
    /** Path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
    /** Seconds until the wait gives up. */
    readonly limit: number;
    /** Further input of the wait, as JSON; a change makes the next run wait again. */
    readonly input: pulumi.Input<object>;
}

/**
 * A command that waits for a state of the cluster that Pulumi's own waiting cannot describe, or its resources cannot
 * cause, and whose error explains what is missing.
 *
 * @param wait name of the wait in components/waits/main.ts
 */
export function waitFor(
    name: string,
    wait: WaitName,
    { kubeconfig, limit, input }: WaitArgs,
    opts: pulumi.CustomResourceOptions,
): command.local.Command {
    // A little more than the wait's own limit, so that the wait itself reports the problem.
    const timeout = `${limit + 30}s`;
    return new command.local.Command(
        name,
        {
            // Replaces the shell: Ctrl-C ends the process that Pulumi knows, and a child of it would be waited for.
            // Node's warnings about packages would precede the wait's own message.
            create: `exec node --no-deprecation dist/wait.cjs ${wait}`,
            stdin: pulumi.secret(
                pulumi
                    .all([kubeconfig, input])
                    .apply(([path, input]) => JSON.stringify({ kubeconfig: path, limit, ...input })),
            ),
            logging: command.local.Logging.None,
        },
        { ...opts, customTimeouts: { create: timeout, update: timeout } },
    );
}
