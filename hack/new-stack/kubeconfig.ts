import { readFileSync, statSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

const named = z.looseObject({ name: z.string() });

const kubeconfigSchema = z
    .looseObject({
        "current-context": z.string(),
        contexts: z.array(named.extend({ context: z.looseObject({ cluster: z.string(), user: z.string() }) })),
        clusters: z.array(named.extend({ cluster: z.looseObject({ server: z.url() }) })),
        users: z.array(named),
    })
    .refine((kubeconfig) => {
        const context = kubeconfig.contexts.find(({ name }) => name === kubeconfig["current-context"])?.context;
        return (
            kubeconfig.clusters.some(({ name }) => name === context?.cluster) &&
            kubeconfig.users.some(({ name }) => name === context?.user)
        );
    });

function contentsMistake(contents: string): string | undefined {
    const accepted = "accepted: a kubeconfig whose current context has a cluster and a user";
    try {
        return kubeconfigSchema.safeParse(parse(contents)).success ? undefined : accepted;
    } catch {
        return accepted;
    }
}

/**
 * What is wrong with an answer to where the kubeconfig is; undefined if one could work.
 *
 * @param answer the path of one from the top folder, or its contents, which have more than one line
 */
export function kubeconfigMistake(answer: string): string | undefined {
    if (answer.includes("\n")) {
        return contentsMistake(answer);
    }
    return statSync(answer, { throwIfNoEntry: false })?.isFile()
        ? contentsMistake(readFileSync(answer, "utf8"))
        : "accepted: the path of a file that is there, absolute or from the top folder of the checkout";
}
