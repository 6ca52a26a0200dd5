import { isObject, type Properties } from "../../shared/values";
import { type JsonPath, parseJsonPath } from "./jsonpath";

/** A `jsonpath=` expression of pulumi.com/waitFor: a path, and the value that it has to have, if any. */
export interface JsonPathExpression {
    /** The path as it was written, with its braces. */
    readonly path: string;
    /** The expected value; "" when any will do. */
    readonly value: string;
    readonly parsed: JsonPath;
}

/** What an expression says of an object. */
export interface Match {
    readonly matched: boolean;
    /** What the path selects, where that is a plain value. */
    readonly found?: string;
    readonly message?: string;
}

/**
 * Parses `jsonpath={.path}` or `jsonpath={.path}=value`.
 *
 * @throws Error saying what is wrong with it
 */
export function parseExpression(expression: string): JsonPathExpression {
    const raw = expression.slice("jsonpath=".length);
    // Split on "=", and leave "==" alone.
    const parts = raw.split(/(?<!=)=(?!=)/);
    const [path = "", value = ""] = parts;
    if (parts.length > 2) {
        throw new Error(`format should be {.path}=value or {.path}, got ${JSON.stringify(raw)}`);
    }
    if (parts.length === 2 && value === "") {
        throw new Error(`${path}= requires a value`);
    }
    if (path.startsWith("'") && path.endsWith("'")) {
        throw new Error(`${path} should omit shell quotes`);
    }
    const inner = /\{\s*(.*?)\s*\}/.exec(path)?.[1];
    if (inner === undefined) {
        throw new Error(`${path} should be wrapped in brackets { ... }`);
    }
    try {
        return { path, value, parsed: parseJsonPath(inner.startsWith("$") ? inner : `$${inner}`) };
    } catch (error) {
        throw new Error(`parsing ${JSON.stringify(path)}: ${error instanceof Error ? error.message : error}`);
    }
}

/** How an expression is shown. */
export function formatExpression({ path, value }: JsonPathExpression): string {
    return value === "" ? path : `${path}=${value}`;
}

/**
 * Evaluates an expression.
 *
 * @throws Error when a value is expected where the path selects an object or a list
 */
export function evaluate(expression: JsonPathExpression, object: Properties): Match {
    const [first] = expression.parsed.select(object);
    if (first === undefined) {
        return { matched: false, message: `${expression.path} selected nothing` };
    }
    if (Array.isArray(first) || isObject(first)) {
        if (expression.value === "") {
            return { matched: true };
        }
        throw new Error(`${JSON.stringify(expression.path)} has a non-primitive value (${JSON.stringify(first)})`);
    }
    const found = first === null ? "<nil>" : String(first);
    return { matched: expression.value === "" || expression.value === found, found };
}
