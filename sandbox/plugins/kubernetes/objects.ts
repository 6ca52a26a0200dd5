import { isObject, type Properties, type Value } from "../shared/values";

/** Group, version and kind. */
export interface GroupVersionKind {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
}

/** What is found by following keys from an object; undefined when the way ends early. */
export function at(value: Value | undefined, ...path: readonly string[]): Value | undefined {
    let current = value;
    for (const key of path) {
        current = isObject(current) ? current[key] : undefined;
    }
    return current;
}

/** The string at a path, or "". */
export function stringAt(value: Value | undefined, ...path: readonly string[]): string {
    const found = at(value, ...path);
    return typeof found === "string" ? found : "";
}

/** The number at a path, or undefined. */
export function numberAt(value: Value | undefined, ...path: readonly string[]): number | undefined {
    const found = at(value, ...path);
    return typeof found === "number" ? found : undefined;
}

/** The list at a path, or an empty one. */
export function listAt(value: Value | undefined, ...path: readonly string[]): readonly Value[] {
    const found = at(value, ...path);
    return Array.isArray(found) ? found : [];
}

/** Name of an object. */
export function nameOf(object: Properties): string {
    return stringAt(object, "metadata", "name");
}

/** Namespace of an object, or "". */
export function namespaceOf(object: Properties): string {
    return stringAt(object, "metadata", "namespace");
}

/** Kind of an object. */
export function kindOf(object: Properties): string {
    return stringAt(object, "kind");
}

/** API version of an object, as it is written: group/version, or the version alone. */
export function apiVersionOf(object: Properties): string {
    return stringAt(object, "apiVersion");
}

/** Generation of an object; 0 where there is none. */
export function generationOf(object: Properties): number {
    return numberAt(object, "metadata", "generation") ?? 0;
}

/** An annotation's value, or "". */
export function annotationOf(object: Properties, key: string): string {
    return stringAt(object, "metadata", "annotations", key);
}

/** Splits an apiVersion. The group "core" is another way to write none. */
export function parseApiVersion(apiVersion: string): { group: string; version: string } {
    const [first = "", second] = apiVersion.split("/");
    return second === undefined ? { group: "", version: first } : { group: first, version: second };
}

/** Joins what {@link parseApiVersion} splits. */
export function formatApiVersion(group: string, version: string): string {
    return group === "" ? version : `${group}/${version}`;
}

/** Group, version and kind of an object. */
export function gvkOf(object: Properties): GroupVersionKind {
    return { ...parseApiVersion(apiVersionOf(object)), kind: kindOf(object) };
}

/** Sets a field of the metadata; undefined removes it. Metadata that is not an object yet is left alone. */
export function setMetadata(object: Properties, key: string, value: Value | undefined): void {
    object["metadata"] ??= {};
    const metadata = object["metadata"];
    if (!isObject(metadata)) {
        return;
    }
    if (value === undefined) {
        delete metadata[key];
    } else {
        metadata[key] = value;
    }
}

/** Whether a list of owners names this object. */
export function isOwnedBy(object: Properties, owner: Properties | undefined): boolean {
    const uid = stringAt(owner, "metadata", "uid");
    return uid !== "" && listAt(object, "metadata", "ownerReferences").some((each) => stringAt(each, "uid") === uid);
}

/** `namespace/name`, or the name alone: how objects are identified in the state. */
export function qualifiedName(namespace: string, name: string): string {
    return namespace === "" ? name : `${namespace}/${name}`;
}

/** {@link qualifiedName} of an object. */
export function idOf(object: Properties): string {
    return qualifiedName(namespaceOf(object), nameOf(object));
}

/** Splits what {@link qualifiedName} joins. */
export function parseId(id: string): { namespace: string; name: string } {
    const [first = "", second] = id.split("/");
    return second === undefined ? { namespace: "", name: first } : { namespace: first, name: second };
}

/** Whether the object is a CustomResourceDefinition. */
export function isCustomResourceDefinition(object: Properties): boolean {
    return kindOf(object) === "CustomResourceDefinition" && apiVersionOf(object).startsWith("apiextensions.k8s.io/");
}

/** Whether the object is a Secret. */
export function isSecretKind(object: Properties): boolean {
    const { group, kind } = gvkOf(object);
    return (group === "" || group === "core") && kind === "Secret";
}
