import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { shortened, visible } from "../lib/characters";
import { hiddenKeys } from "./hidden-keys";
import { looksSecret, secrecyOf } from "./secrets";

/** One mistake in a document that a user wrote. */
export interface Mistake {
    /** Path, as keys. */
    readonly keys: readonly PropertyKey[];
    /** A sentence: the expected value, the actual value (never a secret's), and the fix. */
    readonly message: string;
    /** The value has another type than the intended string, as YAML parses an unquoted number. */
    readonly unquoted?: boolean;
}

/** Options for describing a document in messages. */
export interface Described {
    /** A path of keys, for a message. */
    readonly path: (keys: readonly PropertyKey[]) => string;
    /** Paths of values that must not be printed, by their keys; "*" stands for any key. */
    readonly secrets?: readonly (readonly PropertyKey[])[];
}

const typeNames: Record<string, string> = {
    object: "an object",
    record: "an object",
    array: "a list",
    tuple: "a list",
    string: "a string",
};

/** The form in which every invalid value is reported. */
export function invalid(path: string, got: string, expected: string): string {
    return `invalid ${path}: got ${got}, expected ${expected}`;
}

/** A string in quotes, shortened and without control characters; redacted if it looks like a secret. */
export function quoted(text: string): string {
    return looksSecret(text) ? "a secret" : visible(JSON.stringify(shortened(text)));
}

/**
 * Reports a mistake as a complete sentence, for instance of two settings that exclude each other, from a schema's
 * check.
 */
export function refuse(issues: z.core.$ZodRawIssue[], path: readonly PropertyKey[], sentence: string): void {
    issues.push({ code: "custom", input: undefined, path: [...path], message: sentence, params: { sentence: true } });
}

function valueAt(config: unknown, path: readonly PropertyKey[]): unknown {
    return path.reduce<unknown>(
        (value, part) => (typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined),
        config,
    );
}

/** A value in words. One that should hold a secret may be one, so only its type is shown. */
function describe(value: unknown, secrecy: ReturnType<typeof secrecyOf>): string {
    if (value === undefined || value === null) {
        return "nothing";
    }
    if (secrecy === "secret") {
        return "a secret";
    }
    if (secrecy === "holds one") {
        return typeNames[Array.isArray(value) ? "array" : typeof value] ?? `a ${typeof value}`;
    }
    if (typeof value === "string") {
        return quoted(value);
    }
    // Only the kind of an object or list, which may contain a password.
    if (typeof value === "object") {
        const isEmpty = Object.keys(value).length === 0;
        return Array.isArray(value) ? (isEmpty ? "[]" : "a list") : isEmpty ? "{}" : "an object";
    }
    return `the ${typeof value} ${visible(String(value))}`;
}

/** The valid keys at the place of a misspelled one. */
function siblings(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
    let current: unknown = schema;
    const unwrap = () => {
        while (
            current instanceof z.ZodDefault ||
            current instanceof z.ZodOptional ||
            current instanceof z.ZodPrefault
        ) {
            current = current.unwrap();
        }
    };
    for (const part of path) {
        unwrap();
        if (current instanceof z.ZodTuple) {
            current = current.def.items[Number(part)] ?? current.def.rest;
        } else if (current instanceof z.ZodArray) {
            current = current.element;
        } else {
            current = current instanceof z.ZodObject ? current.shape[String(part)] : undefined;
        }
    }
    unwrap();
    return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

function unknownKey(schema: z.ZodType, parent: readonly PropertyKey[], key: string, { path }: Described): Mistake {
    const keys = siblings(schema, parent);
    const guess = keys.length > 0 && key.length < 64 ? closest(key, keys) : undefined;
    const near = guess !== undefined && distance(key.toLowerCase(), guess.toLowerCase()) <= Math.max(2, key.length / 3);
    const known = keys.length > 0 ? `expected one of ${keys.join(", ")}` : "expected no such key";
    const where = [...parent, key];
    return { keys: where, message: `unknown ${path(where)}: ${near ? `did you mean "${guess}"?` : known}` };
}

function expected(issue: z.core.$ZodIssue): string {
    // A message of the schema's own is more specific than the type.
    if (!/^(Invalid (input|option|key)|Too (big|small))/.test(issue.message)) {
        return issue.message;
    }
    switch (issue.code) {
        case "invalid_key":
            return issue.issues[0]?.message ?? issue.message;
        case "invalid_type":
            return typeNames[issue.expected] ?? issue.expected;
        case "invalid_value":
            return issue.values.map((value) => JSON.stringify(value)).join(" or ");
        case "too_small":
            return `at least ${issue.minimum}`;
        case "too_big":
            return `at most ${issue.maximum}`;
        default:
            return issue.message;
    }
}

/** Every mistake that `schema` finds in `document`, in the order of the schema. */
export function findMistakes(schema: z.ZodType, document: unknown, described: Described): Mistake[] {
    const { path, secrets = [] } = described;
    const result = schema.safeParse(document);
    const hidden = hiddenKeys(document).map((keys) => ({
        keys,
        message: `unknown ${path(keys)}: expected another name`,
    }));
    const mistakes = (result.error?.issues ?? []).flatMap((issue): Mistake[] => {
        if (issue.code === "unrecognized_keys") {
            return issue.keys.map((key) => unknownKey(schema, issue.path, key, described));
        }
        if (issue.code === "custom" && issue.params?.["sentence"] === true) {
            return [{ keys: issue.path, message: issue.message }];
        }
        if (issue.code === "invalid_key") {
            return [{ keys: issue.path, message: `unknown ${path(issue.path)}: expected ${expected(issue)}` }];
        }
        const value = valueAt(document, issue.path);
        const unquoted = ["number", "boolean"].includes(typeof value) && /string/.test(Object(issue).expected ?? "");
        const got = describe(value, secrecyOf(issue.path, secrets));
        const form = `${expected(issue)}${unquoted ? " (a string: write it in quotes)" : ""}`;
        return [{ keys: issue.path, message: invalid(path(issue.path), got, form), ...(unquoted && { unquoted }) }];
    });
    return [...mistakes, ...hidden];
}
