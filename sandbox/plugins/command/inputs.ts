import { isObject, type Properties } from "../shared/values";

/** The text of an input, or undefined. */
export function text(inputs: Properties, name: string): string | undefined {
    const value = inputs[name];
    return typeof value === "string" ? value : undefined;
}

/** The number of an input, or another one. */
export function number(inputs: Properties, name: string, otherwise: number): number {
    const value = inputs[name];
    return typeof value === "number" ? value : otherwise;
}

/** The texts of a list. */
export function texts(inputs: Properties, name: string): readonly string[] {
    const value = inputs[name];
    return Array.isArray(value) ? value.map(String) : [];
}

/** The texts of a map. */
export function textMap(inputs: Properties, name: string): Readonly<Record<string, string>> {
    const value = inputs[name];
    return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, String(each)])) : {};
}
