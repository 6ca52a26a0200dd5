import { inspect } from "node:util";
import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { shortened, visible } from "../lib/characters";
import { hiddenKeys } from "./hidden-keys";

/** One mistake in the stack's config. */
export interface Mistake {
    /** Where, as `pulumi config set --path` takes it: `hearth:nfs.server`, `hearth:loadBalancer.addresses[0]`. */
    readonly path: string;
    /** What stands there, in words; never a secret's value. */
    readonly found: string;
    /** What is accepted there. */
    readonly accepted: string;
}

const namespace = "hearth";

/** A text in quotes, short and without anything that a terminal would act on. */
function quoted(text: string): string {
    return visible(JSON.stringify(shortened(text)));
}

function formatPath(path: readonly PropertyKey[]): string {
    const [first = "", ...rest] = path.map((part) =>
        typeof part === "number"
            ? `[${part}]`
            : /^[\w-]{1,63}$/.test(String(part))
              ? `.${String(part)}`
              : `[${quoted(String(part))}]`,
    );
    return `${namespace}:${first.replace(/^\./, "")}${rest.join("")}`;
}

function valueAt(config: unknown, path: readonly PropertyKey[]): unknown {
    return path.reduce<unknown>(
        (value, part) => (typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined),
        config,
    );
}

/** What stands at a path, in words; `secret` says that its value must not be printed. */
function describe(value: unknown, secret: boolean): string {
    if (value === undefined) {
        return "nothing";
    }
    if (secret) {
        return "a secret";
    }
    return typeof value === "string"
        ? quoted(value)
        : visible(
              inspect(value, {
                  depth: 1,
                  maxArrayLength: 5,
                  maxStringLength: 50,
                  breakLength: Number.POSITIVE_INFINITY,
              }),
          );
}

/** The keys that are accepted beside a misspelt one. */
function siblings(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
    let current: unknown = schema;
    const unwrap = () => {
        while (current instanceof z.ZodDefault || current instanceof z.ZodOptional) {
            current = current.unwrap();
        }
    };
    for (const part of path) {
        unwrap();
        current = current instanceof z.ZodObject ? current.shape[String(part)] : undefined;
    }
    unwrap();
    return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

function unknownKey(schema: z.ZodType, parent: readonly PropertyKey[], key: string): Mistake {
    const keys = siblings(schema, parent);
    const guess = keys.length > 0 && key.length < 64 ? closest(key, keys) : undefined;
    const near = guess !== undefined && distance(key.toLowerCase(), guess.toLowerCase()) <= Math.max(2, key.length / 3);
    return {
        path: formatPath([...parent, key]),
        found: "a key that is not known",
        accepted: near ? `did you mean "${guess}"?` : keys.join(", "),
    };
}

const typeNames: Record<string, string> = { object: "a map", record: "a map", array: "a list", string: "a text" };

function accepted(issue: z.core.$ZodIssue): string {
    if (issue.code === "invalid_key") {
        return issue.issues[0]?.message ?? issue.message;
    }
    // A message of the schema's own says more than the type.
    return issue.code === "invalid_type" && issue.message.startsWith("Invalid input")
        ? (typeNames[issue.expected] ?? issue.expected)
        : issue.message;
}

/**
 * Every mistake that `schema` finds in `config`, in the order of the schema.
 *
 * @param isSecret whether the value of a top-level key must not be printed
 */
export function findMistakes(schema: z.ZodType, config: unknown, isSecret: (key: string) => boolean): Mistake[] {
    const result = schema.safeParse(config);
    const hidden = hiddenKeys(config).map((path) => ({
        path: formatPath(path),
        found: "a key that is not known",
        accepted: "another name",
    }));
    const mistakes = (result.error?.issues ?? []).flatMap((issue) =>
        issue.code === "unrecognized_keys"
            ? issue.keys.map((key) => unknownKey(schema, issue.path, key))
            : [
                  {
                      path: formatPath(issue.path),
                      found: describe(valueAt(config, issue.path), isSecret(String(issue.path[0]))),
                      accepted: accepted(issue),
                  },
              ],
    );
    return [...mistakes, ...hidden];
}
