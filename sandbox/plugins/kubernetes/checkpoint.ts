import {
    containsSecrets,
    isObject,
    type Properties,
    Secret,
    secret,
    type Value,
    withoutSecrets,
} from "../shared/values";
import { apiVersionOf, stringAt } from "./objects";

const dashed = [
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];
const toUnderscores = new Map(dashed.map((key) => [key, key.replaceAll("-", "_")]));
const toDashes = new Map(dashed.map((key) => [key.replaceAll("-", "_"), key]));

function renameKeys(value: Value, names: ReadonlyMap<string, string>): Value {
    if (Array.isArray(value)) {
        return value.map((each) => renameKeys(each, names));
    }
    return isObject(value) ? renameProperties(value, names) : value;
}

function renameProperties(properties: Properties, names: ReadonlyMap<string, string>): Properties {
    return Object.fromEntries(
        Object.entries(properties).map(([key, value]) => [names.get(key) ?? key, renameKeys(value, names)]),
    );
}

/** Properties as Kubernetes writes them: nothing marked as secret, and keys that SDKs cannot spell restored. */
export function toObject(properties: Properties): Properties {
    return renameProperties(withoutSecrets(properties), toDashes);
}

/** Marks in `outs` what is secret in `ins`, and the data of every Secret. Changes `outs`. */
export function annotateSecrets(outs: Properties, ins: Properties | undefined): void {
    if (outs["kind"] === "Secret") {
        for (const key of ["data", "stringData"]) {
            if (outs[key] !== undefined) {
                outs[key] = secret(outs[key]);
            }
        }
        return;
    }
    for (const [key, input] of Object.entries(ins ?? {})) {
        const output = outs[key];
        if (output === undefined) {
            continue;
        }
        if (isObject(output) && isObject(input)) {
            annotateSecrets(output, input);
        } else if (!(output instanceof Secret) && containsSecrets(input)) {
            outs[key] = secret(output);
        }
    }
}

/** What the state keeps besides the live object. */
export interface Bookkeeping {
    readonly initialApiVersion: string;
    readonly fieldManager: string;
}

/**
 * The state of an object: the live object, and the inputs that it was made from.
 *
 * @param from the inputs with their marks of secrecy
 */
export function checkpoint(
    inputs: Properties,
    live: Properties,
    from: Properties,
    { initialApiVersion, fieldManager }: Bookkeeping,
): Properties {
    const state = renameProperties(live, toUnderscores);
    const kept = renameProperties(inputs, toUnderscores);
    annotateSecrets(state, from);
    annotateSecrets(kept, from);
    state["__inputs"] = kept;
    state["__initialApiVersion"] = initialApiVersion;
    state["__fieldManager"] = fieldManager;
    return state;
}

/** Reads what {@link checkpoint} wrote, without marks of secrecy. */
export function parseCheckpoint(state: Properties): { inputs: Properties; live: Properties } {
    const { __inputs: inputs, ...live } = toObject(state);
    return { inputs: isObject(inputs) ? inputs : {}, live };
}

/** The API version that an object was created with. */
export function initialApiVersionOf(state: Properties, inputs: Properties): string {
    return stringAt(state, "__initialApiVersion") || apiVersionOf(inputs);
}

function typeName(value: Value): string {
    return value === null ? "null" : Array.isArray(value) ? "list" : isObject(value) ? "object" : typeof value;
}

/** The parts of `source` that `shape` has too. */
export function prune(source: Properties, shape: Properties): Properties {
    const pruned: Properties = {};
    for (const [key, value] of Object.entries(source)) {
        const wanted = shape[key];
        if (wanted === undefined) {
            continue;
        }
        if (isObject(value) && isObject(wanted)) {
            pruned[key] = prune(value, wanted);
        } else if (Array.isArray(value) && Array.isArray(wanted)) {
            pruned[key] = pruneList(value, wanted);
        } else {
            pruned[key] = value;
        }
    }
    return pruned;
}

function pruneList(source: readonly Value[], shape: readonly Value[]): Value[] {
    const [first = null] = source;
    const [wanted = null] = shape;
    if (source.length === 0 || shape.length === 0) {
        return [];
    }
    if (typeName(first) !== typeName(wanted)) {
        return [...source];
    }
    return shape.slice(0, source.length).map((target, index) => {
        const value = source[index] ?? null;
        if (isObject(value) && isObject(target)) {
            return prune(value, target);
        }
        return Array.isArray(value) && Array.isArray(target) ? pruneList(value, target) : value;
    });
}

const readOnlyMetadata = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
];

/** Inputs without metadata that only the server sets. */
export function withoutReadOnlyMetadata(object: Properties): Properties {
    const metadata = object["metadata"];
    if (!isObject(metadata)) {
        return object;
    }
    const kept = Object.fromEntries(Object.entries(metadata).filter(([key]) => !readOnlyMetadata.includes(key)));
    return { ...object, metadata: kept };
}
