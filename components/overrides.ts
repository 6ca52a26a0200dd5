import type { Settings } from "../config/settings";
import { type Application, type ApplicationManifest, projectOf, type Tier, tiers } from "./applications";

/** The settings that take the place of a manifest's literal defaults. */
export type OverrideSettings = Pick<Settings, "repository" | "domain" | "charts" | "nfs">;

/** One value of an Application manifest that the stack's config sets, as a JSON Patch (RFC 6902) operation. */
export interface Override {
    readonly op: "add" | "replace";
    /** A JSON Pointer (RFC 6901). */
    readonly path: string;
    readonly value: string | boolean | readonly string[];
}

/** The overrides that every Application gets: all of them have this repository as their first source. */
export function commonOverrides({ repository, domain, nfs }: OverrideSettings): Override[] {
    return [
        { op: "replace", path: "/spec/sources/0/repoURL", value: repository.url },
        { op: "replace", path: "/spec/sources/0/targetRevision", value: repository.revision },
        { op: "replace", path: "/spec/sources/0/helm/valuesObject/global/domain", value: domain },
        // Charts expect an export by default.
        ...(nfs ? [] : [{ op: "add", path: "/spec/sources/0/helm/valuesObject/global/nfs", value: false } as const]),
    ];
}

/**
 * The override with the architectures of the nodes: some charts have one workload for each.
 *
 * @param architectures undefined leaves the charts' default, amd64 and arm64
 */
export function architectureOverrides(architectures: readonly string[] | undefined): Override[] {
    const path = "/spec/sources/0/helm/valuesObject/global/architectures";
    return architectures ? [{ op: "add", path, value: architectures }] : [];
}

/** The override that a tier's Applications get: whatever a manifest says, its project is the tier's. */
export function projectOverrides(tier: Tier): Override[] {
    return [{ op: "replace", path: "/spec/project", value: projectOf(tier) }];
}

/** The overrides of an Application's upstream charts, where the stack names a mirror. */
export function mirrorOverrides({ charts }: OverrideSettings, { manifest }: Application): Override[] {
    const mirror = charts.repository;
    if (mirror === undefined) {
        return [];
    }
    return manifest.spec.sources
        .slice(1)
        .map((_, index) => ({ op: "replace", path: `/spec/sources/${index + 1}/repoURL`, value: mirror }));
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
 * A copy of an Application's manifest with the stack's values in place of the literal defaults.
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
        ...projectOverrides(application.tier),
        ...mirrorOverrides(settings, application),
    ];
    return overrides.reduce(
        (manifest, { path, value }) => replaced(manifest, path.slice(1).split("/"), value) as ApplicationManifest,
        application.manifest,
    );
}

/** The same overrides as kustomize patches, for the root Application. */
export function kustomizePatches(
    applications: readonly Application[],
    settings: Settings,
    architectures?: readonly string[],
) {
    const patch = (
        overrides: Override[],
        which: { readonly name?: string; readonly annotationSelector?: string } = {},
    ) => ({
        target: { group: "argoproj.io", version: "v1alpha1", kind: "Application", ...which },
        // JSON is YAML that every reader reads as the same.
        patch: JSON.stringify(overrides),
    });
    return [
        patch([...commonOverrides(settings), ...architectureOverrides(architectures)]),
        // By the annotation, so that a service that is new in Git gets it too.
        ...tiers.map((tier) =>
            patch(projectOverrides(tier), { annotationSelector: `argocd.argoproj.io/sync-wave=${tier}` }),
        ),
        ...applications.flatMap((application) => {
            const overrides = mirrorOverrides(settings, application);
            return overrides.length > 0 ? [patch(overrides, { name: application.name })] : [];
        }),
    ];
}
