import { isObject, type Properties, Secret, secret, Unknown, unknown, type Value } from "../../shared/values";
import { annotateSecrets } from "../checkpoint";
import { encodeRelease, mergeValues, type Release } from "./inputs";
import { resourceNames } from "./manifest";
import type { StoredRelease } from "./storage";

function annotateUnknownValue(output: Value, input: Value): Value {
    if (input instanceof Secret) {
        return annotateUnknownValue(output, input.element);
    }
    if (input instanceof Unknown) {
        return unknown;
    }
    if (isObject(output) && isObject(input)) {
        annotateUnknowns(output, input);
    } else if (Array.isArray(output) && Array.isArray(input)) {
        for (const [index, each] of input.entries()) {
            if (index < output.length) {
                output[index] = annotateUnknownValue(output[index] ?? null, each);
            }
        }
    }
    return output;
}

/** Marks in `outs` what is not known yet in `ins`. Changes `outs`. */
export function annotateUnknowns(outs: Properties, ins: Properties): void {
    for (const [key, input] of Object.entries(ins)) {
        const output = outs[key];
        if (output !== undefined) {
            outs[key] = annotateUnknownValue(output, input);
        }
    }
}

/** A release with what Helm recorded about it. */
export function withStored(release: Release, stored: StoredRelease): Release {
    return {
        ...release,
        name: release.name || stored.name,
        namespace: release.namespace || stored.namespace,
        chart: release.chart || stored.chart,
        values: mergeValues(release.values, stored.values),
        version: stored.chartVersion,
        resourceNames: resourceNames(stored.manifest),
        status: {
            appVersion: stored.appVersion,
            chart: stored.chart,
            name: stored.name,
            namespace: stored.namespace,
            revision: stored.revision,
            status: stored.status,
            version: stored.chartVersion,
        },
    };
}

/** The state of a release: its arguments, what came of them, and the inputs, which are kept secret as a whole. */
export function releaseState(inputs: Properties, release: Release, preview: boolean): Properties {
    const state = structuredClone(encodeRelease(release));
    state["__inputs"] = secret(inputs);
    annotateUnknowns(state, inputs);
    annotateSecrets(state, inputs);
    return preview ? { ...state, resourceNames: unknown, status: unknown } : state;
}

/** The inputs in a release's state, or undefined when there is no state yet. */
export function inputsOfState(state: Properties): Properties | undefined {
    const inputs = state["__inputs"];
    const plain = inputs instanceof Secret ? inputs.element : inputs;
    return isObject(plain) ? plain : undefined;
}
