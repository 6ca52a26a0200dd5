/** Levels of an object that are searched; no config is as deep. */
const deepest = 20;

/** Paths of the keys that zod drops silently, since assigning to them creates no property. */
export function hiddenKeys(from: unknown): PropertyKey[][] {
    const found: PropertyKey[][] = [];
    const queue: { readonly value: unknown; readonly path: readonly PropertyKey[] }[] = [{ value: from, path: [] }];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const { value, path } = next;
        if (typeof value === "object" && value !== null && path.length < deepest) {
            for (const [key, each] of Object.entries(value)) {
                if (key === "__proto__") {
                    found.push([...path, key]);
                } else {
                    queue.push({ value: each, path: [...path, Array.isArray(value) ? Number(key) : key] });
                }
            }
        }
    }
    return found;
}
