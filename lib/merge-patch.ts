/** A map, as opposed to a list or a scalar. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Document with a JSON Merge Patch (RFC 7396) applied, which is how kustomize merges a patch into a resource without a
 * schema of its own: maps are merged, lists and scalars replaced, and null removes.
 */
export function patched(document: unknown, patch: unknown): unknown {
    if (!isMap(patch)) {
        return patch === undefined ? document : patch;
    }
    const before = isMap(document) ? document : {};
    const keys = [...new Set([...Object.keys(before), ...Object.keys(patch)])].filter((key) => patch[key] !== null);
    return Object.fromEntries(keys.map((key) => [key, patched(before[key], patch[key])]));
}

/** Dotted paths of the values of a document that a merge patch changes or removes. */
export function overwrittenPaths(document: unknown, patch: unknown, path = ""): string[] {
    if (document === undefined || patch === undefined) {
        return [];
    }
    if (isMap(document) && isMap(patch)) {
        return Object.keys(patch).flatMap((key) =>
            overwrittenPaths(document[key], patch[key], path === "" ? key : `${path}.${key}`),
        );
    }
    return JSON.stringify(document) === JSON.stringify(patch) ? [] : [path];
}
