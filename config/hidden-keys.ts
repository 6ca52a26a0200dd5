/** Levels of a structure that are looked into; nothing that is read is as deep. */
const deepest = 20;

/** Keys that zod passes over in silence, since what is set under them is no property: where they are. */
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
