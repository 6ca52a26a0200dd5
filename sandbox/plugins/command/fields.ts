import { detailedDiff, mergePatch } from "../shared/property-diff";
import type { CheckFailure, DiffRequest, DiffResponse } from "../shared/provider";
import {
    Archive,
    Asset,
    containsSecrets,
    isObject,
    type Properties,
    reveal,
    secret,
    Unknown,
    unknown,
    type Value,
    withoutSecrets,
} from "../shared/values";

/** What a field holds. */
export type FieldType = "string" | "number" | "boolean" | "list" | "map" | "content" | "object";

/** One input. */
export interface Field {
    readonly type: FieldType;
    readonly required?: boolean;
    /** Kept secret whether the program says so or not. */
    readonly secret?: boolean;
    readonly otherwise?: Value;
    /** A change replaces the resource. */
    readonly replaces?: boolean;
    /** The fields of an object. */
    readonly fields?: Fields;
    /** What a string may be. */
    readonly choices?: readonly string[];
}

/** Inputs by name. */
export type Fields = Readonly<Record<string, Field>>;

const typeTests: Record<FieldType, (value: Value) => boolean> = {
    string: (value) => typeof value === "string",
    number: (value) => typeof value === "number",
    boolean: (value) => typeof value === "boolean",
    list: Array.isArray,
    map: isObject,
    object: isObject,
    content: (value) => value instanceof Asset || value instanceof Archive,
};

function checkField(name: string, path: string, field: Field, value: Value, failures: CheckFailure[]): Value {
    const plain = reveal(value);
    if (plain instanceof Unknown) {
        return value;
    }
    if (!typeTests[field.type](plain)) {
        failures.push({ property: path, reason: `Field '${name}' must be a '${field.type}'` });
        return value;
    }
    if (field.choices && !field.choices.includes(String(plain))) {
        failures.push({ property: path, reason: `Field '${name}' must be one of ${field.choices.join(", ")}` });
        return value;
    }
    if (!field.fields || !isObject(value)) {
        return field.fields && isObject(plain) ? secret(checkFields(name, path, field.fields, plain, failures)) : value;
    }
    return checkFields(name, path, field.fields, value, failures);
}

/**
 * Checks inputs and fills in defaults. No value of a field that is not known here is ever repeated: it may be secret.
 *
 * @param owner what the fields belong to, for messages
 * @param failures takes what is wrong
 */
export function checkFields(
    owner: string,
    path: string,
    fields: Fields,
    inputs: Properties,
    failures: CheckFailure[],
): Properties {
    const checked: Properties = {};
    const at = (name: string) => (path === "" ? name : `${path}.${name}`);
    for (const [name, field] of Object.entries(fields)) {
        const given = inputs[name];
        const value = given === null || given === undefined ? field.otherwise : given;
        if (value === undefined) {
            if (field.required) {
                failures.push({ property: at(name), reason: `Missing required field '${name}' on '${owner}'` });
            }
            continue;
        }
        const result = checkField(name, at(name), field, value, failures);
        checked[name] = field.secret ? secret(result) : result;
    }
    for (const name of Object.keys(inputs)) {
        if (!(name in fields) && !name.startsWith("__")) {
            failures.push({ property: at(name), reason: `Unrecognized field '${name}' on '${owner}'` });
        }
    }
    return checked;
}

/** Compares old and new inputs. */
export function diffFields(fields: Fields, request: DiffRequest, canUpdate: boolean): DiffResponse {
    const olds = withoutSecrets(Object.keys(request.oldInputs).length > 0 ? request.oldInputs : request.olds);
    const known = Object.fromEntries(Object.entries(olds).filter(([name]) => name in fields));
    const news = withoutSecrets(request.news);
    const forceNew = Object.entries(fields).flatMap(([name, field]) => (field.replaces || !canUpdate ? [name] : []));
    const detailed = detailedDiff(mergePatch(known, news), known, news, known, forceNew);
    const replaces = [...detailed].flatMap(([path, { replace }]) => (replace ? [path] : []));
    return { changes: detailed.size > 0, detailed, replaces };
}

/** The state: inputs and outputs. Outputs of secret inputs are secret. */
export function stateOf(inputs: Properties, outputs: Properties): Properties {
    const isSecret = containsSecrets(inputs);
    const marked = Object.entries(outputs).map(([name, value]) => [name, isSecret ? secret(value) : value]);
    return { ...inputs, ...Object.fromEntries(marked) };
}

/** The state in a preview, where outputs are not known. */
export function previewOf(inputs: Properties, outputs: readonly string[]): Properties {
    return stateOf(inputs, Object.fromEntries(outputs.map((name) => [name, unknown])));
}
