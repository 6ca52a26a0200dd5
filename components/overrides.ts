import { backupTargets, targetPeer } from "../config/backup";
import type { Settings } from "../config/settings";
import { chooseAddresses, type HomeAddresses } from "./addresses";
import {
    type Application,
    type ApplicationManifest,
    priorityClassOf,
    projectOf,
    type TierNumber,
    tiers,
} from "./applications";
import type { ClusterFacts } from "./cluster";
import { generatePaths } from "./generate-paths";
import { podSecurityLabel, podSecurityLevels } from "./pod-security";

/** Settings that replace a manifest's literal defaults. */
export type OverrideSettings = Pick<
    Settings,
    "repository" | "domain" | "charts" | "edge" | "nfs" | "backup" | "letsencrypt"
> &
    Partial<Pick<Settings, "profile">>;

/** Chart values that depend on the running cluster. */
export interface ClusterValues {
    /** Architectures of the nodes: some charts have one workload for each. */
    readonly architectures: readonly string[];
    /** Undefined if the settings have no pool for them. */
    readonly addresses?: HomeAddresses;
}

/**
 * Chart values for a cluster; undefined for one that does not answer, which leaves the charts' defaults.
 *
 * @param root the repository's top folder
 * @throws Failure as {@link chooseAddresses}
 */
export function clusterValues(
    root: string,
    { loadBalancer }: { readonly loadBalancer?: Settings["loadBalancer"] | undefined },
    applications: readonly Application[],
    facts: ClusterFacts | undefined,
): ClusterValues | undefined {
    return (
        facts && {
            architectures: facts.architectures,
            ...(loadBalancer && { addresses: chooseAddresses(root, loadBalancer, applications, facts) }),
        }
    );
}

/** One value of an Application manifest that the stack's config sets, as a JSON Patch (RFC 6902) operation. */
export interface Override {
    readonly op: "add";
    /** A JSON Pointer (RFC 6901); its parent exists. */
    readonly path: string;
    readonly value: string | boolean | readonly string[] | Readonly<Record<string, unknown>>;
}

const global = "/spec/sources/0/helm/valuesObject/global";

/** JSON Pointer of a key below a path. */
const below = (path: string, key: string) => `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;

const add = (path: string, value: Override["value"]): Override => ({ op: "add", path, value });

/** The overrides that every Application gets: all of them have this repository as their first source. */
function commonOverrides({ repository, domain, edge, nfs, letsencrypt }: OverrideSettings): Override[] {
    return [
        add("/spec/sources/0/repoURL", repository.url),
        add("/spec/sources/0/targetRevision", repository.revision),
        add(`${global}/domain`, domain),
        // Charts expect an export by default.
        ...(nfs ? [] : [add(`${global}/nfs`, false)]),
        ...(edge ? [add(`${global}/edge`, true)] : []),
        // A rehearsal changes no certificate of a service.
        ...(letsencrypt?.staging === false ? [add(`${global}/clusterIssuer`, "letsencrypt")] : []),
    ];
}

/** The overrides that depend on the cluster; none while it is unknown. */
function clusterOverrides(values: ClusterValues | undefined): Override[] {
    return values
        ? [
              add(`${global}/architectures`, values.architectures),
              ...(values.addresses ? [add(`${global}/addresses`, { ...values.addresses })] : []),
          ]
        : [];
}

/** Overrides with the settings of volume backups: `global.backup` of charts/common; nothing secret. */
export function backupOverrides({ backup }: OverrideSettings): Override[] {
    if (backup === undefined) {
        return [];
    }
    const { home, start, hours, uploadLimit, startEmpty } = backup;
    const targets = backupTargets(backup);
    const value = {
        home,
        targets: targets.map(({ name }) => name),
        egress: targets.map(targetPeer),
        start,
        hours,
        ...(uploadLimit === undefined ? {} : { uploadLimit }),
        startEmpty,
    };
    return [add(`${global}/backup`, value)];
}

/** The overrides that follow from the tier. */
function tierOverrides(tier: TierNumber): Override[] {
    return [add("/spec/project", projectOf(tier)), add(`${global}/priorityClass`, priorityClassOf(tier))];
}

/** The override of the Application that has the issuers. */
function issuerOverrides({ letsencrypt }: OverrideSettings, { name }: Application): Override[] {
    return letsencrypt && name === "cert-manager"
        ? [add("/spec/sources/0/helm/valuesObject/letsencrypt", letsencrypt)]
        : [];
}

/** The override that a Pod Security annotation requests: Argo CD labels the namespace with it. */
function podSecurityOverrides(level: string | undefined): Override[] {
    const labels = "/spec/syncPolicy/managedNamespaceMetadata/labels";
    return level === undefined ? [] : [add(below(labels, podSecurityLabel), level)];
}

/** The overrides of an Application with upstream charts. */
function upstreamOverrides({ charts }: OverrideSettings, { name, manifest }: Application): Override[] {
    const upstream = manifest.spec.sources.slice(1);
    if (upstream.length === 0) {
        return [];
    }
    const mirror = charts.repository;
    return [
        // Relative paths start at each source's path. An upstream chart has none, so every commit would match.
        ...(manifest.metadata.annotations[generatePaths]?.startsWith(".")
            ? [add(below("/metadata/annotations", generatePaths), `/charts/${name};/charts/common`)]
            : []),
        ...(mirror === undefined ? [] : upstream.map((_, index) => add(`/spec/sources/${index + 1}/repoURL`, mirror))),
    ];
}

/** The overrides of the profile `small`: a value file more for each source that has one, after its own. */
function profileOverrides({ profile }: OverrideSettings, { manifest, small }: Application): Override[] {
    return profile !== "small"
        ? []
        : manifest.spec.sources.flatMap(({ helm }, index) => {
              const files = small[index] ?? [];
              return files.length === 0
                  ? []
                  : [add(`/spec/sources/${index}/helm/valueFiles`, [...(helm?.valueFiles ?? []), ...files])];
          });
}

function replaced(target: unknown, [key, ...rest]: readonly string[], value: Override["value"]): unknown {
    if (key === undefined) {
        return value;
    }
    return Array.isArray(target)
        ? target.map((item, index) => (String(index) === key ? replaced(item, rest, value) : item))
        : { ...Object(target), [key]: replaced(Object(target)[key], rest, value) };
}

/** Copy of an Application's manifest with the values of the stack, of the cluster and of its tier. */
export function overriddenManifest(
    application: Application,
    settings: OverrideSettings,
    values?: ClusterValues,
): ApplicationManifest {
    const overrides = [
        ...commonOverrides(settings),
        ...clusterOverrides(values),
        ...backupOverrides(settings),
        ...tierOverrides(application.tier),
        ...podSecurityOverrides(application.manifest.metadata.annotations[podSecurityLabel]),
        ...issuerOverrides(settings, application),
        ...upstreamOverrides(settings, application),
        ...profileOverrides(settings, application),
    ];
    return overrides.reduce((manifest, { path, value }) => {
        const keys = path.slice(1).split("/");
        const unescaped = keys.map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
        return replaced(manifest, unescaped, value) as ApplicationManifest;
    }, application.manifest);
}

/** The same overrides as kustomize patches, for the root Application. */
export function kustomizePatches(
    applications: readonly Application[],
    settings: OverrideSettings,
    values?: ClusterValues,
) {
    const patch = (
        overrides: Override[],
        target: { readonly name?: string; readonly annotationSelector?: string } = {},
    ) => ({
        target: { group: "argoproj.io", version: "v1alpha1", kind: "Application", ...target },
        // Every YAML parser reads JSON to the same value.
        patch: JSON.stringify(overrides),
    });
    return [
        patch([...commonOverrides(settings), ...clusterOverrides(values), ...backupOverrides(settings)]),
        // Selected by annotations, so that they apply to a service that is new in Git too.
        ...tiers.map((tier) =>
            patch(tierOverrides(tier), { annotationSelector: `argocd.argoproj.io/sync-wave=${tier}` }),
        ),
        ...podSecurityLevels.map((level) =>
            patch(podSecurityOverrides(level), { annotationSelector: `${podSecurityLabel}=${level}` }),
        ),
        ...applications.flatMap((application) => {
            const overrides = [
                ...issuerOverrides(settings, application),
                ...upstreamOverrides(settings, application),
                ...profileOverrides(settings, application),
            ];
            return overrides.length > 0 ? [patch(overrides, { name: application.name })] : [];
        }),
    ];
}
