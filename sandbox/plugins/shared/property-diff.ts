import type { DiffKind, PropertyDiff } from "./provider";
import { equal, isObject, type Properties, Unknown, type Value } from "./values";

/**
 * The JSON merge patch (RFC 7386) that makes `to` of `from`: null deletes. A value that is not known yet counts as a
 * change.
 */
export function mergePatch(from: Properties, to: Properties): Properties {
    const patch: Properties = {};
    for (const [key, value] of Object.entries(to)) {
        const old = from[key];
        if (isObject(value) && isObject(old)) {
            const inner = mergePatch(old, value);
            if (Object.keys(inner).length > 0) {
                patch[key] = inner;
            }
        } else if (!(key in from) || !equal(value, old)) {
            patch[key] = value;
        }
    }
    for (const key of Object.keys(from)) {
        if (!(key in to)) {
            patch[key] = null;
        }
    }
    return patch;
}

type Step = string | number;

/** Whether a change at a path touches one of the force-new paths: the field itself, something in it, or around it. */
export function forcesReplacement(forceNew: readonly string[], path: readonly Step[], value: Value): boolean {
    return forceNew.some((pattern) => {
        const steps = pattern.split(".");
        const shared = Math.min(steps.length, path.length);
        for (let index = 0; index < shared; index++) {
            const step = path[index];
            if (typeof step === "number" ? steps[index] !== "*" : steps[index] !== step) {
                return false;
            }
        }
        return hasPath(value, steps.slice(shared));
    });
}

function hasPath(value: Value | undefined, steps: readonly string[]): boolean {
    const [step, ...rest] = steps;
    if (step === undefined) {
        return value !== undefined;
    }
    if (step === "*") {
        return Array.isArray(value) && value.some((each) => hasPath(each, rest));
    }
    return isObject(value) && step in value && hasPath(value[step], rest);
}

/** Writes a property path as Pulumi does: spec.ports[0], metadata.annotations["a.b/c"]. */
export function formatPath(path: readonly Step[]): string {
    return path.reduce<string>((text, step) => {
        if (typeof step === "number") {
            return `${text}[${step}]`;
        }
        if (/[."[\]]/.test(step)) {
            return `${text}["${step.replaceAll('"', '\\"')}"]`;
        }
        return text === "" ? step : `${text}.${step}`;
    }, "");
}

/** Reads a property path that Pulumi wrote. */
export function parsePath(path: string): Step[] {
    const steps: Step[] = [];
    for (const [, name, index, quoted] of path.matchAll(/\.?([^.[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]/g)) {
        if (name !== undefined) {
            steps.push(name);
        } else if (quoted !== undefined) {
            steps.push(quoted.replaceAll('\\"', '"'));
        } else if (index !== undefined) {
            steps.push(index === "*" ? "*" : Number(index));
        }
    }
    return steps;
}

/** Whether `path` is at or below the path that a user ignores; `*` there stands for anything. */
export function isWithin(path: readonly Step[], ignored: readonly Step[]): boolean {
    return ignored.length <= path.length && ignored.every((step, index) => step === "*" || step === path[index]);
}

/** A value that is absent, as opposed to null. */
type Maybe = Value | undefined;

/** Turns a merge patch into differences per property. */
class Converter {
    readonly diff = new Map<string, PropertyDiff>();
    readonly #forceNew: readonly string[];

    constructor(forceNew: readonly string[]) {
        this.#forceNew = forceNew;
    }

    object(path: readonly Step[], patch: Properties, old: Maybe, news: Maybe, olds: Maybe, inList: boolean): void {
        const get = (object: Maybe, key: string) => (isObject(object) && key in object ? object[key] : undefined);
        for (const [key, value] of Object.entries(patch)) {
            this.value([...path, key], value, get(old, key), get(news, key), get(olds, key), inList);
        }
        // A patch holds lists in full, so what it does not mention inside of them is deleted.
        for (const [key, value] of inList && isObject(old) ? Object.entries(old) : []) {
            if (!(key in patch)) {
                this.value([...path, key], null, value, get(news, key), get(olds, key), inList);
            }
        }
    }

    value(path: readonly Step[], value: Value, old: Maybe, news: Maybe, olds: Maybe, inList: boolean): void {
        if (news === undefined && (value !== null || olds === undefined)) {
            return;
        }
        if (value instanceof Unknown || news instanceof Unknown) {
            this.#record(path, value, old === undefined ? "add" : "update", false);
        } else if (value === null) {
            if (old !== null || news === undefined) {
                this.#record(path, value, "delete", true);
            }
        } else if (old === undefined) {
            this.#record(path, value, "add", false);
        } else if (isObject(value) && isObject(old)) {
            this.object(path, value, old, news, olds, inList);
        } else if (Array.isArray(value) && Array.isArray(old)) {
            this.#list(path, value, old, news, olds);
        } else if (!equal(value, old)) {
            this.#record(path, value, "update", false);
        }
    }

    #list(path: readonly Step[], patch: Value[], old: Value[], news: Maybe, olds: Maybe): void {
        const element = (list: Maybe, index: number): Value =>
            Array.isArray(list) && index < list.length ? (list[index] ?? null) : null;
        for (let index = 0; index < Math.max(patch.length, old.length); index++) {
            const value = index < patch.length ? (patch[index] ?? null) : null;
            const before = index < old.length ? old[index] : undefined;
            this.value([...path, index], value, before, element(news, index), element(olds, index), true);
        }
    }

    #record(path: readonly Step[], value: Value, kind: DiffKind, inputDiff: boolean): void {
        const replace = forcesReplacement(this.#forceNew, path, value);
        this.diff.set(formatPath(path), { kind, replace, inputDiff });
    }
}

/**
 * Differences per property.
 *
 * @param patch merge patch from the old object to the new inputs
 * @param old what the patch starts from
 * @param news the new inputs
 * @param olds the old inputs: what only the server has set is no difference
 * @param forceNew paths whose change replaces the resource
 */
export function detailedDiff(
    patch: Properties,
    old: Properties,
    news: Properties,
    olds: Properties,
    forceNew: readonly string[],
): Map<string, PropertyDiff> {
    const converter = new Converter(forceNew);
    converter.object([], patch, old, news, olds, false);
    return converter.diff;
}
