/** What a property can hold: JSON, and Pulumi's own kinds of value. */
export type Value = null | boolean | number | string | Secret | Unknown | Asset | Archive | Value[] | Properties;

/** Named values: a resource's inputs or outputs, or any object inside them. */
export interface Properties {
    [key: string]: Value;
}

/** A value that is encrypted in the state and hidden on the terminal. */
export class Secret {
    constructor(readonly element: Value) {}
}

/** A value that is known only after the update; see {@link unknown}. */
export class Unknown {
    readonly kind = "unknown";
}

/** The one unknown value. */
export const unknown = new Unknown();

/** A file, a text or a URI, as an asset or an archive. */
export interface Content {
    readonly hash?: string;
    readonly text?: string;
    readonly path?: string;
    readonly uri?: string;
}

/** A single file. */
export class Asset {
    constructor(readonly content: Content) {}
}

/** A tree of files. */
export class Archive {
    constructor(readonly content: Content & { readonly assets?: Properties }) {}
}

function isSpecial(value: object): boolean {
    return [Secret, Unknown, Asset, Archive].some((kind) => value instanceof kind);
}

/** Whether a value is a plain object. */
export function isObject(value: Value | undefined): value is Properties {
    return typeof value === "object" && value !== null && !Array.isArray(value) && !isSpecial(value);
}

/** Whether a value or anything in it fulfils a test. */
export function contains(value: Value | undefined, test: (value: Value) => boolean): boolean {
    if (value === undefined) {
        return false;
    }
    if (test(value)) {
        return true;
    }
    if (value instanceof Secret) {
        return contains(value.element, test);
    }
    if (Array.isArray(value)) {
        return value.some((each) => contains(each, test));
    }
    return isObject(value) && Object.values(value).some((each) => contains(each, test));
}

/** Whether something in a value is known only after the update. */
export function containsUnknowns(value: Value | undefined): boolean {
    return contains(value, (each) => each instanceof Unknown);
}

/** Whether something in a value is secret. */
export function containsSecrets(value: Value | undefined): boolean {
    return contains(value, (each) => each instanceof Secret);
}

/** A deep copy in which every leaf and every secret is what `replace` makes of it; undefined keeps it. */
export function mapValue(value: Value, replace: (value: Value) => Value | undefined): Value {
    const replaced = replace(value);
    if (replaced !== undefined) {
        return replaced;
    }
    if (Array.isArray(value)) {
        return value.map((each) => mapValue(each, replace));
    }
    return isObject(value) ? mapProperties(value, replace) : value;
}

/** {@link mapValue} of an object. */
export function mapProperties(properties: Properties, replace: (value: Value) => Value | undefined): Properties {
    return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, mapValue(value, replace)]));
}

function revealed(value: Value): Value | undefined {
    return value instanceof Secret ? mapValue(value.element, revealed) : undefined;
}

/** A deep copy without the mark of secrecy anywhere. */
export function withoutSecrets(properties: Properties): Properties {
    return mapProperties(properties, revealed);
}

/** {@link withoutSecrets} of any value. */
export function reveal(value: Value): Value {
    return mapValue(value, revealed);
}

/** Marks a value as secret, once. */
export function secret(value: Value): Value {
    return value instanceof Secret ? value : new Secret(value);
}

/** Deep equality of JSON values; the order of an object's keys does not count. */
export function equal(left: Value | undefined, right: Value | undefined): boolean {
    if (left === right) {
        return true;
    }
    if (left instanceof Secret && right instanceof Secret) {
        return equal(left.element, right.element);
    }
    if (left instanceof Asset && right instanceof Asset) {
        return left.content.hash === right.content.hash;
    }
    if (left instanceof Archive && right instanceof Archive) {
        return left.content.hash === right.content.hash;
    }
    if (Array.isArray(left) && Array.isArray(right)) {
        return left.length === right.length && left.every((each, index) => equal(each, right[index]));
    }
    if (isObject(left) && isObject(right)) {
        const keys = Object.keys(left);
        return (
            keys.length === Object.keys(right).length &&
            keys.every((key) => Object.hasOwn(right, key) && equal(left[key], right[key]))
        );
    }
    return false;
}
