import { detailedDiff } from "../../shared/property-diff";
import type { DiffRequest, DiffResponse } from "../../shared/provider";
import { equal, isObject, type Properties, withoutSecrets } from "../../shared/values";
import { inputsOfState } from "./state";

/**
 * What has to change: keys of the new inputs that differ from the state, and null for keys that were in the old inputs
 * and are not in the new ones. What only Helm put into the state is left alone.
 */
export function releasePatch(oldInputs: Properties, news: Properties, state: Properties): Properties {
    const patch: Properties = {};
    for (const [key, value] of Object.entries(news)) {
        const current = state[key];
        const old = oldInputs[key];
        if (isObject(value) && isObject(current)) {
            const inner = releasePatch(isObject(old) ? old : {}, value, current);
            if (Object.keys(inner).length > 0) {
                patch[key] = inner;
            }
        } else if (!(key in state) || !equal(value, current)) {
            patch[key] = value;
        }
    }
    for (const key of Object.keys(oldInputs)) {
        if (!(key in news)) {
            patch[key] = null;
        }
    }
    return patch;
}

/** Compares a release's state with new inputs. */
export function diffRelease({ olds, news, ignoreChanges }: DiffRequest): DiffResponse {
    const state = withoutSecrets(olds);
    const { checksum: _, resourceNames: __, ...oldInputs } = withoutSecrets(inputsOfState(olds) ?? {});
    const inputs = withoutSecrets(news);
    if (ignoreChanges.includes("version") && state["version"] !== undefined) {
        inputs["version"] = state["version"];
    }
    const patch = releasePatch(oldInputs, inputs, state);
    const diffs = Object.keys(patch);
    if (diffs.length === 0) {
        return { changes: false };
    }
    const detailed = detailedDiff(patch, state, inputs, oldInputs, ["name", "namespace"]);
    const replaces = [...detailed].flatMap(([path, { replace }]) => (replace ? [path] : []));
    return { changes: true, diffs, replaces, ...(detailed.size > 0 ? { detailed } : {}) };
}
