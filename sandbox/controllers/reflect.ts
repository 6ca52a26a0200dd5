/**
 * The part of the Reflect metadata API that @peculiar/x509 uses to wire its algorithms when it is loaded. Import it
 * before that package.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>();

function own(target: object): Map<unknown, unknown> {
    const existing = metadata.get(target) ?? new Map<unknown, unknown>();
    metadata.set(target, existing);
    return existing;
}

function get(key: unknown, target: object): unknown {
    for (let each: object | null = target; each !== null; each = Object.getPrototypeOf(each)) {
        if (metadata.get(each)?.has(key)) {
            return metadata.get(each)?.get(key);
        }
    }
    return undefined;
}

if (!("getMetadata" in Reflect)) {
    Object.assign(Reflect, {
        defineMetadata: (key: unknown, value: unknown, target: object) => void own(target).set(key, value),
        getMetadata: get,
        getOwnMetadata: (key: unknown, target: object) => metadata.get(target)?.get(key),
        hasMetadata: (key: unknown, target: object) => get(key, target) !== undefined,
        hasOwnMetadata: (key: unknown, target: object) => metadata.get(target)?.has(key) ?? false,
        metadata: (key: unknown, value: unknown) => (target: object) => void own(target).set(key, value),
    });
}
