import type { Release } from "./inputs";

function optional(flags: Readonly<Record<string, boolean>>): string[] {
    return Object.entries(flags).flatMap(([flag, isSet]) => (isSet ? [flag] : []));
}

function text(flag: string, value: string): string[] {
    return value === "" ? [] : [flag, value];
}

/** Helm's flags that install and upgrade share. */
function common(release: Release): string[] {
    return [
        "--timeout",
        `${release.timeout || 300}s`,
        ...optional({
            "--wait": !release.skipAwait,
            "--wait-for-jobs": !release.skipAwait && release.waitForJobs,
            "--devel": release.devel,
            "--atomic": release.atomic,
            "--render-subchart-notes": release.renderSubchartNotes,
        }),
        ...text("--description", release.description),
        ...text("--post-renderer", release.postrender),
    ];
}

/** Arguments of `helm install`. The values come on its standard input. */
export function installArguments(release: Release, chart: string): string[] {
    return [
        ...["install", release.name, chart, "--values", "-"],
        ...common(release),
        ...optional({
            "--no-hooks": release.disableWebhooks,
            "--dependency-update": release.dependencyUpdate,
            "--skip-crds": release.skipCrds,
            "--disable-openapi-validation": release.disableOpenapiValidation,
            "--replace": release.replace,
            "--create-namespace": release.createNamespace,
        }),
    ];
}

/** Arguments of `helm upgrade`. The values come on its standard input. */
export function upgradeArguments(release: Release, chart: string): string[] {
    return [
        ...["upgrade", release.name, chart, "--values", "-", "--history-max", String(release.maxHistory ?? 0)],
        ...common(release),
        ...optional({
            "--no-hooks": release.disableCRDHooks,
            "--force": release.forceUpdate,
            "--reset-values": release.resetValues,
            "--reuse-values": release.reuseValues,
            "--recreate-pods": release.recreatePods,
            "--cleanup-on-fail": release.cleanupOnFail,
        }),
    ];
}

/** Arguments of `helm uninstall`. It waits when the release did. */
export function uninstallArguments(release: Release): string[] {
    const waits = release.atomic || !release.skipAwait;
    return ["uninstall", release.name, ...(waits ? ["--wait", "--timeout", `${release.timeout || 300}s`] : [])];
}
