import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { RunError } from "@pulumi/pulumi/errors";
import { z } from "zod";
import { dnsLabel } from "../lib/dns-label";
import { type PodSecurity, podSecurityLabel, podSecurityLevels } from "./pod-security";
import { mistakeOf, readYaml } from "./yaml-file";

/** The tiers, in the order in which they start. */
export const tiers = [1, 2, 3] as const;

/** Where an Application stands in the order: tier 2 starts when all of tier 1 is Synced and Healthy. */
export type Tier = (typeof tiers)[number];

/** Name of the AppProject of a tier's Applications. */
export function projectOf(tier: Tier): string {
    return `tier-${tier}`;
}

/** A name that Kubernetes takes for an object, and a command for no option. */
const label = z.string().regex(dnsLabel, "lower-case letters, digits and hyphens, 63 at most");

/** A text that a command takes for no option and that is in no need of quotes. */
const word = (accepted: string) => z.string().regex(/^[A-Za-z0-9*^~<>=][\w.~:/@!&()*+,;=%<>^-]{0,499}$/, accepted);

/** A file of the repository, as Argo CD takes it: below the chart, or below another source that is named by a variable. */
const valueFile = z
    .string()
    .regex(/^(\$\w{1,63}\/)?(?!.*\.\.)\w[\w./-]{0,499}$/, "the path of a file in this repository");

const helm = z.looseObject({ releaseName: label.optional(), valueFiles: z.array(valueFile).optional() });
const source = z.looseObject({
    repoURL: word("the URL of a repository"),
    targetRevision: word("a branch or a version"),
});
const gitSource = source.extend({
    path: z.string().regex(/^charts\/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "charts/<chart>"),
    helm: helm.extend({ valuesObject: z.looseObject({ global: z.looseObject({ domain: z.string() }) }) }),
});
const chartSource = source.extend({ chart: word("the name of a chart"), helm: helm.optional() });

const namespaceMetadata = z.looseObject({
    labels: z
        .looseObject({
            [podSecurityLabel]: z
                .enum(podSecurityLevels, `the Pod Security level of its namespace: ${podSecurityLevels.join(", ")}`)
                .optional(),
        })
        .optional(),
});

/** The manifest of an Argo CD Application, as far as the program looks into it. */
export const manifestSchema = z.looseObject({
    apiVersion: z.literal("argoproj.io/v1alpha1"),
    kind: z.literal("Application"),
    metadata: z.looseObject({
        name: label,
        namespace: z.literal("argocd"),
        annotations: z
            .object({ "argocd.argoproj.io/sync-wave": z.enum(["1", "2", "3"], 'the tier: "1", "2" or "3"') })
            .catchall(z.string()),
    }),
    spec: z.looseObject({
        destination: z.looseObject({ namespace: label }),
        sources: z.tuple([gitSource], chartSource),
        syncPolicy: z.looseObject({ managedNamespaceMetadata: namespaceMetadata.optional() }).optional(),
    }),
});

/** The manifest of an Argo CD Application, as far as the program looks into it; the rest is carried along. */
export type ApplicationManifest = z.output<typeof manifestSchema>;

/** One service of the home, as its file under clusters/<cluster>/apps states it. */
export interface Application {
    /** Name of the Application and of its chart's folder under charts/. */
    readonly name: string;
    /** The namespace that its chart is deployed to. */
    readonly namespace: string;
    readonly tier: Tier;
    /** The complete manifest, with this repository's literal defaults. */
    readonly manifest: ApplicationManifest;
}

function mistakesOf(file: string, directory: string, charts: string): string[] | Application {
    const { document, mistake } = readYaml(join(directory, file));
    if (mistake !== undefined) {
        return [mistake];
    }
    const { data: manifest, error } = manifestSchema.safeParse(document);
    if (error) {
        return error.issues.map(mistakeOf);
    }
    const name = manifest.metadata.name;
    const chart = basename(manifest.spec.sources[0].path);
    const mistakes = [
        ...(name === basename(file, ".yaml") ? [] : [`metadata.name is "${name}": name the file ${name}.yaml`]),
        ...(chart === name
            ? []
            : [`spec.sources.0.path is "charts/${chart}": the chart of "${name}" is charts/${name}`]),
        ...(existsSync(join(charts, chart, "Chart.yaml")) ? [] : [`charts/${chart}/Chart.yaml is not there`]),
    ];
    if (mistakes.length > 0) {
        return mistakes;
    }
    const tier = Number(manifest.metadata.annotations["argocd.argoproj.io/sync-wave"]) as Tier;
    return { name, namespace: manifest.spec.destination.namespace, tier, manifest };
}

/** What the pods in an Application's namespace must keep to: `restricted`, unless its manifest says otherwise. */
export function podSecurity({ manifest }: Application): PodSecurity {
    return manifest.spec.syncPolicy?.managedNamespaceMetadata?.labels?.[podSecurityLabel] ?? "restricted";
}

/**
 * Reads the Applications of a cluster, ordered by name.
 *
 * @param root the repository's top folder
 * @param cluster name of a folder under clusters/
 * @throws RunError that lists every mistake in every file
 */
export function readApplications(root: string, cluster: string): Application[] {
    const directory = join(root, "clusters", cluster, "apps");
    if (!existsSync(directory)) {
        throw new RunError(
            `clusters/${cluster}/apps is not there: hearth:cluster must name a folder under clusters/ of this checkout`,
        );
    }
    const results = readdirSync(directory)
        .filter((file) => file.endsWith(".yaml"))
        .sort()
        .map((file) => ({ file, result: mistakesOf(file, directory, join(root, "charts")) }));
    const mistakes = results.flatMap(({ file, result }) =>
        Array.isArray(result) ? result.map((mistake) => `  clusters/${cluster}/apps/${file}: ${mistake}`) : [],
    );
    if (mistakes.length > 0) {
        throw new RunError(["Mistakes in the Application manifests:", ...mistakes].join("\n"));
    }
    return results.flatMap(({ result }) => (Array.isArray(result) ? [] : [result]));
}
