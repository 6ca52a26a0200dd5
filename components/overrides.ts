import { backupTargets, targetPeer } from "../config/backup";
import type { Settings } from "../config/settings";
import {
    type Application,
    type ApplicationManifest,
    priorityClassOf,
    projectOf,
    type TierNumber,
    tiers,
} from "./applications";
import { generatePaths } from "./generate-paths";
import { podSecurityLabel, podSecurityLevels } from "./pod-security";

/** The settings that take the place of a manifest's literal defaults. */
export type OverrideSettings = Pick<Settings, "repository" | "domain" | "charts" | "nfs" | "backup">;

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
export function commonOverrides({ repository, domain, nfs }: OverrideSettings): Override[] {
    return [
        add("/spec/sources/0/repoURL", repository.url),
        add("/spec/sources/0/targetRevision", repository.revision),
        add(`${global}/domain`, domain),
        // Charts expect an export by default.
        ...(nfs ? [] : [add(`${global}/nfs`, false)]),
    ];
}

/**
 * The override with the architectures of the nodes: some charts have one workload for each.
 *
 * @param architectures undefined leaves the charts' default, amd64 and arm64
 */
export function architectureOverrides(architectures: readonly string[] | undefined): Override[] {
    return architectures ? [add(`${global}/architectures`, architectures)] : [];
}

/** Overrides with the settings of volume copies: `global.backup` of charts/common; nothing secret. */
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
export function tierOverrides(tier: TierNumber): Override[] {
    return [add("/spec/project", projectOf(tier)), add(`${global}/priorityClass`, priorityClassOf(tier))];
}

/** The override that a Pod Security annotation asks for: Argo CD labels the namespace with it. */
export function podSecurityOverrides(level: string | undefined): Override[] {
    const labels = "/spec/syncPolicy/managedNamespaceMetadata/labels";
    return level === undefined ? [] : [add(below(labels, podSecurityLabel), level)];
}

/** The overrides of an Application with upstream charts. */
export function upstreamOverrides({ charts }: OverrideSettings, { name, manifest }: Application): Override[] {
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

function replaced(target: unknown, [key, ...rest]: readonly string[], value: Override["value"]): unknown {
    if (key === undefined) {
        return value;
    }
    return Array.isArray(target)
        ? target.map((item, index) => (String(index) === key ? replaced(item, rest, value) : item))
        : { ...Object(target), [key]: replaced(Object(target)[key], rest, value) };
}

/**
 * Copy of an Application's manifest with the values of the stack and of its tier.
 *
 * @param architectures of the nodes, as {@link architectureOverrides} takes them
 */
export function overriddenManifest(
    application: Application,
    settings: OverrideSettings,
    architectures?: readonly string[],
): ApplicationManifest {
    const overrides = [
        ...commonOverrides(settings),
        ...architectureOverrides(architectures),
        ...backupOverrides(settings),
        ...tierOverrides(application.tier),
        ...podSecurityOverrides(application.manifest.metadata.annotations[podSecurityLabel]),
        ...upstreamOverrides(settings, application),
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
    architectures?: readonly string[],
) {
    const patch = (
        overrides: Override[],
        target: { readonly name?: string; readonly annotationSelector?: string } = {},
    ) => ({
        target: { group: "argoproj.io", version: "v1alpha1", kind: "Application", ...target },
        // JSON is YAML that every reader reads as the same.
        patch: JSON.stringify(overrides),
    });
    return [
        patch([...commonOverrides(settings), ...architectureOverrides(architectures), ...backupOverrides(settings)]),
        // By the annotations, so that they apply to a service that is new in Git too.
        ...tiers.map((tier) =>
            patch(tierOverrides(tier), { annotationSelector: `argocd.argoproj.io/sync-wave=${tier}` }),
        ),
        ...podSecurityLevels.map((level) =>
            patch(podSecurityOverrides(level), { annotationSelector: `${podSecurityLabel}=${level}` }),
        ),
        ...applications.flatMap((application) => {
            const overrides = upstreamOverrides(settings, application);
            return overrides.length > 0 ? [patch(overrides, { name: application.name })] : [];
        }),
    ];
}
