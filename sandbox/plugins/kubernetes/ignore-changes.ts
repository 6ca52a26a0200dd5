import { isObject, type Properties, type Value } from "../shared/values";
import { at, listAt, stringAt } from "./objects";

/** Whether a set of managed fields covers a path, or something below it. */
function covers(fields: Value | undefined, path: readonly string[]): boolean {
    const [step, ...rest] = path;
    return step === undefined || (isObject(fields) && `f:${step}` in fields && covers(fields[`f:${step}`], rest));
}

function setAt(object: Properties, path: readonly string[], value: Value | undefined): void {
    const [step = "", ...rest] = path;
    if (rest.length === 0) {
        if (value === undefined) {
            delete object[step];
        } else {
            object[step] = value;
        }
        return;
    }
    if (value !== undefined) {
        object[step] ??= {};
    }
    const inner = object[step];
    if (isObject(inner)) {
        setAt(inner, rest, value);
    }
}

/**
 * Makes inputs leave ignored fields as they are: fields of other managers are not sent, others are sent as they are
 * now. Changes `inputs`. Paths with dots or brackets inside a key are not understood, as in the official plugin.
 */
export function keepIgnored(inputs: Properties, live: Properties, manager: string, ignored: readonly string[]): void {
    const entries = listAt(live, "metadata", "managedFields");
    for (const path of ignored.map((each) => each.split("."))) {
        const isManagedBy = (test: (name: string) => boolean) =>
            entries.some((each) => test(stringAt(each, "manager")) && covers(at(each, "fieldsV1"), path));
        if (isManagedBy((name) => name !== manager) && !isManagedBy((name) => name === manager)) {
            setAt(inputs, path, undefined);
            continue;
        }
        const value = at(live, ...path);
        if (value !== undefined) {
            setAt(inputs, path, structuredClone(value));
        }
    }
}
