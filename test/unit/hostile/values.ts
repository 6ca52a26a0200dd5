import { z } from "zod";

/** Strings that a typo, a paste or an attacker may put into a field. */
export const hostileTexts: Readonly<Record<string, string>> = {
    "an empty text": "",
    "spaces at its ends and within": "  two  words ",
    "single quotes": "it's 'quoted'",
    "double quotes": 'say "quoted"',
    "a command substitution": "$(touch pwned)",
    backticks: "`touch pwned`",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of a shell
    "a variable": "$HOME${IFS}x",
    "a second command": "x; touch pwned & touch pwned | x",
    "backslashes and wildcards": "\\ \\n * ? [a-z] {a,b} ~ ! # %s %2e",
    "a second line": "first\nsecond: line\n",
    "a carriage return": "first\rsecond",
    "a way up": "../../etc/passwd",
    "a path with a way up": "/export/../etc/passwd",
    "an option": "--output=pwned",
    "a short option": "-o",
    "a NUL": "before\0after",
    "an escape sequence": "\u001b[2J\u001b]0;pwned\u0007",
    "a control character of eight bits": "\u009b2J",
    "letters of other scripts": "日本語 – e\u0301 – 🔥",
    "text that turns its direction": "abc\u202Egpj.exe",
    "half a character": "x\ud800y",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of a workflow
    "a template": "{{ .Values.secret }} {% x %} ${{ github.token }}",
    "YAML of its own": "x: [&a *a], !!js/function 'f'",
    "what every object has": "constructor",
    "what every object hides": "__proto__",
    "1 MB": "a".repeat(1024 * 1024),
    "1 MB of dots, dashes and slashes": "/a.-".repeat(1024 * 256),
};

/** Path of a value in an object. */
export type Path = readonly (string | number)[];

/** A place for a string in a schema: the value at a path, or its name. */
export interface Place {
    readonly path: Path;
    readonly part: "value" | "name";
}

/** The schema without the wrappers that make a value optional. */
function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
    return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault
        ? unwrapped(schema.unwrap())
        : schema;
}

/**
 * Every leaf of a schema. The names of a record are places too; those in `names` stand for all.
 *
 * @throws Error for a kind of schema that is not known here, so that none is skipped
 */
export function placesOf(wrapped: z.core.$ZodType, names: (path: Path) => string, path: Path = []): Place[] {
    const schema = unwrapped(wrapped);
    if (schema instanceof z.ZodObject) {
        return Object.entries(schema.shape).flatMap(([key, each]) =>
            placesOf(each as z.core.$ZodType, names, [...path, key]),
        );
    }
    if (schema instanceof z.ZodArray) {
        return placesOf(schema.element as z.core.$ZodType, names, [...path, 0]);
    }
    if (schema instanceof z.ZodTuple) {
        const { items, rest } = schema.def;
        return [...items, ...(rest ? [rest] : [])].flatMap((each, index) => placesOf(each, names, [...path, index]));
    }
    if (schema instanceof z.ZodUnion) {
        return schema.options.flatMap((each) => placesOf(each as z.core.$ZodType, names, path));
    }
    if (schema instanceof z.ZodRecord) {
        const inner = [...path, names(path)];
        return [{ path: inner, part: "name" }, ...placesOf(schema.valueType as z.core.$ZodType, names, inner)];
    }
    const leaves = [
        z.ZodString,
        z.ZodNumber,
        z.ZodBoolean,
        z.ZodEnum,
        z.ZodLiteral,
        z.ZodCIDRv4,
        z.ZodURL,
        z.ZodUnknown,
    ];
    if (leaves.some((each) => schema instanceof each)) {
        return [{ path, part: "value" }];
    }
    throw new Error(`${path.join(".")}: a schema that is not looked into: ${schema._zod.def.type}`);
}

/** Value at a path. */
export function valueAt(from: unknown, path: Path): unknown {
    return path.reduce<unknown>(
        (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
        from,
    );
}

/** A copy with another string at a place. */
export function withText(from: unknown, { path, part }: Place, text: string): unknown {
    const [key, ...rest] = path;
    if (key === undefined) {
        return text;
    }
    const renamed = part === "name" && rest.length === 0;
    if (Array.isArray(from)) {
        return from.map((each, index) => (index === key ? withText(each, { path: rest, part }, text) : each));
    }
    const entries = Object.entries(Object(from)).map(([name, value]) =>
        name !== key ? [name, value] : renamed ? [text, value] : [name, withText(value, { path: rest, part }, text)],
    );
    return Object.fromEntries(entries);
}
