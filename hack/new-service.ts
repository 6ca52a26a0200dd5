import { existsSync } from "node:fs";
import { z } from "zod";
import { invalid, quoted } from "../config/mistakes";
import { isLine } from "../lib/characters";
import { Failure } from "../lib/failure";
import { exitCodes } from "./verb";

/** Reserved names: a namespace of Kubernetes or Argo CD, the root Application, `hack/install system`. */
const reserved = /^(argocd|default|kube-.*|root|system)$/;

/** A label of a DNS name; the library's schema accepts workloads of up to 42 characters. */
const label = /^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$/;

const pinned = /^(?<repository>[a-z0-9.-]+\.[a-z]+\/[a-z0-9/._-]+):(?<tag>[\w.-]*\d[\w.-]*)$/;

const schemaWith = (hosts: ReadonlyMap<string, string>) =>
    z.object({
        name: z
            .string()
            .regex(label, "lower-case letters, digits and dashes, a letter first, 42 at most")
            .refine((name) => !reserved.test(name), "a name that is not reserved in the cluster")
            .refine((name) => !existsSync(`charts/${name}`), "a name without a folder in charts/"),
        image: z
            .string()
            .regex(pinned, "registry, name and release, as ghcr.io/owner/app:1.2.3")
            .transform((image) => pinned.exec(image)?.groups as { repository: string; tag: string }),
        port: z
            .int("a number from 1 to 65535")
            .min(1, "a number from 1 to 65535")
            .max(65_535, "a number from 1 to 65535"),
        health: z.string().regex(/^\/[\w./?=&%~:@-]*$/, "a path, which begins with a slash"),
        host: z
            .string()
            .regex(label, "a name under the home's domain, without dots")
            .refine((host) => !hosts.has(host), {
                error: ({ input }) => `a name that is not in use; ${hosts.get(String(input))} has it`,
            }),
        title: z.string().min(1, "a few words").refine(isLine, "a string on one line"),
        description: z
            .string()
            .regex(/^[A-Za-z]/, "a sentence that begins with a letter")
            .refine(isLine, "a string on one line")
            .transform((sentence) => sentence.replace(/[^.]$/, "$&.")),
        tier: z.number(),
    });

/** A service to create. */
export type NewService = z.output<ReturnType<typeof schemaWith>>;

/**
 * Checks the description of a new service. The working directory is the checkout.
 *
 * @param hosts host names under the home's domain that are in use, with their services
 * @throws Failure that lists every mistake
 */
export function readNewService(
    given: z.input<ReturnType<typeof schemaWith>>,
    hosts: ReadonlyMap<string, string>,
): NewService {
    const { data, error } = schemaWith(hosts).safeParse(given);
    if (error) {
        const mistakes = error.issues.map(({ path: [option = ""], message }) => {
            const found = given[option as keyof typeof given];
            return `  ${invalid(`--${String(option)}`, quoted(String(found)), message)}`;
        });
        throw new Failure(["nothing was written:", ...mistakes].join("\n"), exitCodes.usage);
    }
    return data;
}
