import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { z } from "zod";
import { quoted } from "../config/mistakes";
import { dnsLabel } from "../lib/dns-label";
import { Failure } from "../lib/failure";
import { gitEnvironment } from "../lib/git-environment";
import { isMap, overwrittenPaths, patched } from "../lib/merge-patch";
import { lostValues } from "./chart-values";
import { type PodSecurity, podSecurityLabel, podSecurityLevels } from "./pod-security";
import { mistakesIn, readYamlFile } from "./yaml-file";

/** The tiers, in the order in which they start. */
export const tiers = [1, 2, 3] as const;

/** Position of an Application in the order: tier 2 starts when all of tier 1 is Synced and Healthy. */
export type TierNumber = (typeof tiers)[number];

/** Name of the AppProject of a tier's Applications. */
export function projectOf(tier: TierNumber): string {
    return `tier-${tier}`;
}

/** Name of the PriorityClass of a tier's pods. */
export function priorityClassOf(tier: TierNumber): string {
    return { 1: "infrastructure", 2: "platform", 3: "apps" }[tier];
}

/** The one cluster that Argo CD deploys to: its own. */
const ownCluster = "https://kubernetes.default.svc";

const labelForm = "lower-case letters, digits and hyphens, 63 at most";

/** A name that is valid for a Kubernetes object, and that no command takes for an option. */
const label = z.string(labelForm).regex(dnsLabel, labelForm);

/** Namespaces of Kubernetes and of this program's own system, to which no chart is deployed. */
const systemNamespace = /^(argocd|default|metallb-system|kube-.*)$/;

/** A string that no command takes for an option and that needs no quotes. */
const word = (form: string) => z.string(form).regex(/^[A-Za-z0-9*^~<>=][\w.~:/@!&()*+,;=%<>^-]{0,499}$/, form);

const valueFileForm = "the path of a file in this repository: below the chart, or $<ref of the first source>/<path>";
const valueFile = z.string(valueFileForm).regex(/^(\$\w{1,63}\/)?(?!.*\.\.)\w[\w./-]{0,499}$/, valueFileForm);

const upstreamValuesForm = "the path of a file in this repository: $<ref of the first source>/<path>";

/** Fields that every path to the cluster (Pulumi, Argo CD, hack/) supports; any other field is rejected. */
const helm = z.strictObject({ releaseName: label.optional(), valueFiles: z.array(valueFile).optional() });
const source = z.strictObject({
    repoURL: word("the URL of a repository"),
    targetRevision: word("a branch or a version"),
    ref: z
        .string()
        .regex(/^\w{1,63}$/, "a word")
        .optional(),
    name: label.optional(),
});
const gitSource = source.extend({
    repoURL: source.shape.repoURL.optional(),
    targetRevision: source.shape.targetRevision.optional(),
    path: z
        .string("charts/<chart>")
        .regex(/^charts\/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "charts/<chart>, a chart of this repository"),
    helm: helm
        .extend({
            valuesObject: z
                .looseObject({ global: z.looseObject({ domain: z.string().optional() }).optional() })
                .optional(),
        })
        .optional(),
});
const chartSource = source.extend({
    repoURL: word("the URL of a Helm repository, or a registry without oci://").regex(
        /^(?!oci:|ssh:|git[@:])(?!.*\.git$)/,
        "a Helm repository, not one of Git, or a registry without oci:// in front, the form that Argo CD expects",
    ),
    chart: word(
        "the name of an upstream chart: besides this repository, which is the first source, only those are supported",
    ),
    helm: helm
        .extend({
            valuesObject: z.looseObject({}).optional(),
            valueFiles: z
                .array(
                    z.string(upstreamValuesForm).regex(/^\$\w{1,63}\/(?!.*\.\.)\w[\w./-]{0,499}$/, upstreamValuesForm),
                )
                .optional(),
        })
        .optional(),
});

const podSecurityLevel = z.enum(
    podSecurityLevels,
    `the Pod Security level of its namespace: ${podSecurityLevels.join(", ")}`,
);
const namespaceMetadata = z.looseObject({
    labels: z.looseObject({ [podSecurityLabel]: podSecurityLevel.optional() }).optional(),
});

const wave = "argocd.argoproj.io/sync-wave";
const waveForm = 'the tier: "1", "2" or "3"';
const automated =
    "automated sync, for instance {prune: true, selfHeal: false}: a tier waits for the sync of its Applications";

/** Fields of an Argo CD Application manifest that the program reads. */
export const manifestSchema = z.strictObject({
    apiVersion: z.literal("argoproj.io/v1alpha1"),
    kind: z.literal("Application"),
    metadata: z.strictObject({
        name: label,
        namespace: z.literal("argocd").default("argocd"),
        labels: z.object({}).catchall(z.string()).optional(),
        finalizers: z.array(z.string()).optional(),
        annotations: z
            .object(
                { [wave]: z.enum(["1", "2", "3"], waveForm), [podSecurityLabel]: podSecurityLevel.optional() },
                `the annotation ${wave}, ${waveForm}`,
            )
            .catchall(z.string()),
    }),
    spec: z.strictObject({
        project: z.string().optional(),
        ignoreDifferences: z.array(z.looseObject({})).optional(),
        info: z.array(z.looseObject({})).optional(),
        revisionHistoryLimit: z.unknown().optional(),
        destination: z.strictObject({
            namespace: label,
            server: z.literal(ownCluster).optional(),
            name: z.literal("in-cluster").optional(),
        }),
        sources: z.tuple([gitSource], chartSource),
        syncPolicy: z.looseObject(
            {
                automated: z.looseObject({ enabled: z.literal(true).optional() }, automated),
                syncOptions: z.array(z.string()).optional(),
                managedNamespaceMetadata: namespaceMetadata.optional(),
            },
            automated,
        ),
    }),
});

/** An Argo CD Application manifest; fields that the program does not read are kept. */
export type ApplicationManifest = z.output<typeof manifestSchema>;

/** Kustomize patch with the fields that all Applications share, in a component that a cluster's kustomization includes. */
const sharedPatch = "clusters/shared/application.yaml";

/** Content of {@link sharedPatch}, without the name that kustomize requires and ignores. */
type SharedFields = Readonly<Record<string, unknown>>;

/** One service of the home, as its file under clusters/<cluster>/apps states it. */
export interface Application {
    /** Name of the Application and of its chart's folder under charts/. */
    readonly name: string;
    /** The namespace that its chart is deployed to. */
    readonly namespace: string;
    readonly tier: TierNumber;
    /** Manifest with the fields that all Applications of the cluster share, before the stack's values. */
    readonly manifest: ApplicationManifest;
    /** Value files of the profile `small`, by source. */
    readonly small: readonly (readonly string[])[];
}

/** Documents of another kind, for which one sentence is clearer than all errors of the schema. */
function anotherShape(document: unknown): string | undefined {
    const { kind, spec } = Object(document);
    if (kind !== "Application") {
        return `invalid kind: got ${typeof kind === "string" ? quoted(kind) : "nothing"}, expected "Application", one per file`;
    }
    return Object(spec).source === undefined
        ? undefined
        : "unknown spec.source: expected spec.sources, a list that begins with the chart of this repository";
}

/** Values that Helm would parse differently from how they look, in a chart and in an Application's overrides. */
function valuesMistakes(charts: string, { path, helm }: ApplicationManifest["spec"]["sources"][0]): string[] {
    const read = (file: string) => {
        const full = join(charts, "..", file);
        return existsSync(full) ? readYamlFile(full) : { mistake: "empty" };
    };
    const others = (helm?.valueFiles ?? []).map((file) => valueFilePath(path, file));
    const files = [...new Set([`${path}/values.yaml`, ...others])].map((file) => ({ file, ...read(file) }));
    const defaults = files[0]?.document;
    const inFiles = files.flatMap(({ file, document, mistake = "empty" }, index) => {
        const mistakes = document ? lostValues(document, index === 0 ? undefined : defaults) : [mistake];
        return mistakes.filter((each) => each !== "empty").map((each) => `${file}: ${each}`);
    });
    const inObject = lostValues(helm?.valuesObject, defaults).map(
        (each) => `spec.sources[0].helm.valuesObject: ${each}`,
    );
    return [...inFiles, ...inObject];
}

/** Mistakes in a manifest that a schema cannot express. */
function contradictions(file: string, { metadata, spec }: ApplicationManifest, charts: string): string[] {
    const { name } = metadata;
    const [first, ...upstream] = spec.sources;
    const chart = basename(first.path);
    const { namespace } = spec.destination;
    const references = spec.sources
        .flatMap((each) => each.helm?.valueFiles ?? [])
        .filter((each) => each.startsWith("$"));
    const unknown = references.find((each) => each.slice(1).split("/")[0] !== first.ref);
    const absent = spec.sources
        .flatMap((each) => (each.helm?.valueFiles ?? []).map((path) => valueFilePath(first.path, path)))
        .filter((path) => !existsSync(join(charts, "..", path)));
    const overridden = existsSync(join(charts, chart, "Chart.yaml"))
        ? readdirSync(join(charts, chart)).filter((each) => /^\.argocd-source.*\.yaml$/.test(each))
        : [];
    return [
        ...(name === basename(file, ".yaml") ? [] : [`metadata.name is "${name}": name the file ${name}.yaml`]),
        ...(chart === name
            ? []
            : [`spec.sources[0].path is "charts/${chart}": the chart of "${name}" is charts/${name}`]),
        ...(existsSync(join(charts, chart, "Chart.yaml")) ? [] : [`charts/${chart}/Chart.yaml does not exist`]),
        ...(systemNamespace.test(namespace)
            ? [
                  `invalid spec.destination.namespace: got "${namespace}", expected a namespace of its own, not one of ` +
                      "Kubernetes or the home's system",
              ]
            : []),
        ...(upstream.length > 0 && metadata.annotations[wave] !== "2"
            ? [
                  `invalid metadata.annotations["${wave}"]: got "${metadata.annotations[wave]}", expected "2": the project of ` +
                      "no other tier allows upstream charts",
              ]
            : []),
        ...(unknown === undefined
            ? []
            : [`unknown reference ${quoted(unknown)}: expected $${first.ref ?? "<ref>"}, the ref of spec.sources[0]`]),
        ...absent.map((path) => `unknown value file ${path}: expected the path of a file that exists`),
        ...valuesMistakes(charts, first),
        ...overridden.map(
            (each) => `charts/${chart}/${each} changes this Application without its file: write it here instead`,
        ),
    ];
}

/** Fields that a file states and the shared patch overwrites: kustomize would do so silently. */
function overwritten(document: unknown, shared: unknown): string[] {
    return overwrittenPaths(document, shared).map(
        (path) => `${path} is overwritten by ${sharedPatch}: remove it here, or change it there for all Applications`,
    );
}

function readApplication(
    file: string,
    directory: string,
    charts: string,
    shared: SharedFields | undefined,
): string[] | Application {
    if (!file.endsWith(".yaml")) {
        return ["a file with this name is not read as an Application: rename it to <application>.yaml"];
    }
    const { document: own, mistake } = readYamlFile(join(directory, file));
    const other = mistake ?? anotherShape(own);
    if (other !== undefined) {
        return [other];
    }
    const document = patched(own, shared);
    const { data: manifest } = manifestSchema.safeParse(document);
    if (manifest === undefined) {
        return mistakesIn(manifestSchema, document);
    }
    const mistakes = [
        ...contradictions(file, manifest, charts),
        ...(shared ? overwritten(own, shared) : missingParents(manifest)),
    ];
    if (mistakes.length > 0) {
        return mistakes;
    }
    const { metadata, spec } = manifest;
    return {
        name: metadata.name,
        namespace: spec.destination.namespace,
        tier: Number(metadata.annotations[wave]) as TierNumber,
        manifest,
        small: smallValueFiles(manifest, charts),
    };
}

/** Value file of the profile `small` for a `values.yaml`, or a `<name>.values.yaml`: `small.yaml`, or `<name>.small.yaml`. */
export function smallFileOf(values: string): string {
    return values.replace(/values\.yaml$/, "small.yaml");
}

/** Existing value files of the profile `small`, for each source. */
function smallValueFiles({ spec: { sources } }: ApplicationManifest, charts: string): string[][] {
    const [{ path }] = sources;
    return sources.map(({ helm }, index) =>
        [...(index === 0 ? ["values.yaml"] : []), ...(helm?.valueFiles ?? [])]
            .filter((file) => /(^|[/.])values\.yaml$/.test(file))
            .map(smallFileOf)
            .filter((file) => existsSync(join(charts, "..", valueFilePath(path, file)))),
    );
}

/** Fields that a file needs in a cluster without the shared component: the root Application's patches write into them. */
function missingParents({ metadata, spec }: ApplicationManifest): string[] {
    const missing = [
        ...(spec.sources[0].helm?.valuesObject?.global ? [] : ["spec.sources[0].helm.valuesObject.global"]),
        ...(metadata.annotations[podSecurityLabel] && !spec.syncPolicy.managedNamespaceMetadata?.labels
            ? ["spec.syncPolicy.managedNamespaceMetadata.labels"]
            : []),
    ];
    return missing.map(
        (path) => `${path} is missing: add it, or list ../shared under components in kustomization.yaml`,
    );
}

/** Files of charts and Applications, from a Git listing; empty without a repository. */
function listedByGit(root: string, ...args: string[]): string[] {
    try {
        return execFileSync("git", ["ls-files", "-z", ...args], {
            cwd: root,
            env: gitEnvironment(),
            encoding: "utf8",
            stdio: ["ignore", "pipe", "ignore"],
        })
            .split("\0")
            .filter(Boolean);
    } catch {
        return []; // The code that needs the commit reports errors of the repository.
    }
}

/** Files of a chart or an Application that this program sees and Argo CD does not, each with a remedy. */
function unseenFiles(root: string): string[] {
    if (!existsSync(join(root, ".git"))) {
        return []; // An unpacked commit.
    }
    const folders = ["charts", "clusters"];
    const ignored = listedByGit(root, "--others", "--ignored", "--exclude-standard", "--", ...folders).filter(
        (path) => /\.(tgz|yaml|yml|tpl|json|txt)$/.test(path) && !basename(path).startsWith("."),
    );
    const large = listedByGit(root, "--", ...folders.map((folder) => `:(attr:filter=lfs)${folder}`));
    return [
        ...ignored.map((path) => `  ${path}: ignored by Git, so Argo CD would not see it: git add --force ${path}`),
        ...large.map(
            (path) =>
                `  ${path}: stored in Git LFS, so Argo CD would see only a pointer: remove it from .gitattributes`,
        ),
    ];
}

/**
 * Fields that all Applications of a cluster share.
 *
 * @returns undefined for a cluster whose kustomization does not include clusters/shared
 * @throws Failure when the shared patch is not valid
 */
function readSharedFields(root: string, cluster: string): SharedFields | undefined {
    const directory = join("clusters", cluster);
    const kustomization = join(root, directory, "kustomization.yaml");
    const { document } = existsSync(kustomization) ? readYamlFile(kustomization) : {};
    const components: unknown = Object(document).components;
    const paths = Array.isArray(components)
        ? components.map((each) => normalize(join(directory, String(each), ".")))
        : [];
    if (!paths.includes(dirname(sharedPatch))) {
        return undefined;
    }
    const { document: patch, mistake } = readYamlFile(join(root, sharedPatch));
    if (mistake !== undefined || !isMap(patch)) {
        throw new Failure(`${sharedPatch}: ${mistake ?? "expected the fields of an Application"}`);
    }
    const { name: _, ...metadata } = Object(patch["metadata"]);
    return { ...patch, metadata };
}

/** The lists of resources for kustomize; Argo CD never sees an Application that is in none of them. */
function listMistakes(root: string, cluster: string, files: readonly string[]): string[] {
    const path = join("clusters", cluster, "kustomization.yaml");
    if (!existsSync(join(root, path))) {
        return [];
    }
    const { document, mistake } = readYamlFile(join(root, path));
    const resources: unknown = Object(document).resources;
    if (mistake !== undefined || !Array.isArray(resources)) {
        return [`  ${path}: ${mistake ?? "expected a list of resources"}`];
    }
    const listed = resources.map((each) => String(each).replace(/^\.\//, ""));
    return [
        ...files
            .filter((file) => !listed.includes(`apps/${file}`))
            .map((file) => `  ${path}: resources: apps/${file} is missing, so Argo CD would not see it`),
        ...listed
            .filter((each) => each.startsWith("apps/") && !files.includes(each.slice("apps/".length)))
            .map((each) => `  ${path}: resources: ${each} does not exist`),
    ];
}

/** Pod Security level of an Application's namespace: its annotation, else its namespace's label, else `restricted`. */
export function podSecurity({ manifest: { metadata, spec } }: Application): PodSecurity {
    return (
        metadata.annotations[podSecurityLabel] ??
        spec.syncPolicy.managedNamespaceMetadata?.labels?.[podSecurityLabel] ??
        "restricted"
    );
}

/** Path, from the repository's top folder, of a value file of the source at `path`. */
export function valueFilePath(path: string, file: string): string {
    return file.startsWith("$") ? file.slice(file.indexOf("/") + 1) : `${path}/${file}`;
}

/** URLs of the Helm repositories and registries that Applications take upstream charts from. */
export function chartRepositories(applications: readonly Application[]): string[] {
    return [
        ...new Set(
            applications.flatMap(({ manifest }) => {
                const [, ...upstream] = manifest.spec.sources;
                return upstream.map(({ repoURL }) => repoURL);
            }),
        ),
    ];
}

/**
 * Reads the Applications of a cluster, ordered by name.
 *
 * @param root the repository's top folder
 * @param cluster name of a folder under clusters/
 * @throws Failure that lists every mistake in every file
 */
export function readApplications(root: string, cluster: string): Application[] {
    const directory = join(root, "clusters", cluster, "apps");
    if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
        throw new Failure(
            `clusters/${cluster}/apps does not exist: hearth:cluster must name a folder under clusters/ of this checkout`,
        );
    }
    const files = readdirSync(directory)
        .filter((file) => /\.(ya?ml|json)$/i.test(file) && !file.startsWith("."))
        .sort();
    const shared = readSharedFields(root, cluster);
    const results = files.map((file) => ({
        file,
        result: readApplication(file, directory, join(root, "charts"), shared),
    }));
    const mistakes = [
        ...results.flatMap(({ file, result }) =>
            Array.isArray(result) ? result.map((mistake) => `  clusters/${cluster}/apps/${file}: ${mistake}`) : [],
        ),
        ...listMistakes(root, cluster, files),
        ...unseenFiles(root),
    ];
    if (mistakes.length > 0) {
        throw new Failure(["Mistakes in the Application manifests:", ...mistakes].join("\n"));
    }
    return results.flatMap(({ result }) => (Array.isArray(result) ? [] : [result]));
}
