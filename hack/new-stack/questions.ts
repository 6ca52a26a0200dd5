import { isMap, isScalar, type YAMLMap } from "yaml";
import { z } from "zod";
import { type SecretDeclarations, secretMistake } from "../../components/secret-declarations";

/** A setting or a secret to prompt for. */
export interface Question {
    /** Path of the answer below `hearth:`; charts and keys of secrets too: `["secrets", "arr", "api-key"]`. */
    readonly path: readonly string[];
    /** Purpose, in a sentence or two. */
    readonly explanation: string;
    /** Value in the example. */
    readonly example: string;
    /** Mistake in an answer, in words; undefined if it is valid. */
    readonly mistake: (answer: string) => string | undefined;
    /** True if an empty answer is valid. */
    readonly optional: boolean;
}

/** A setting in plain text. */
export interface Setting extends Question {
    /** Another setting, without which this one is not prompted for: both belong to something optional. */
    readonly needs?: readonly string[] | undefined;
    /** The answer as the stack's file stores it: a list, for several values separated by commas. */
    readonly value: (answer: string) => string | string[];
}

/** The comment above each key of a map, without its number signs; yaml keeps the first one's with the map. */
export function comments(map: YAMLMap): Map<string, string> {
    return new Map(
        map.items.map(({ key }, index) => {
            const above = isScalar(key) ? key.commentBefore : undefined;
            return [String(key), (index === 0 ? (map.commentBefore ?? above) : above) ?? ""];
        }),
    );
}

const oneLine = (comment: string) => comment.replace(/\s+/g, " ").trim();

/** The schema at a key, without the wrapper that makes it optional; undefined if it has a default. */
function fieldAt(schema: unknown, key: string): { readonly field: unknown; readonly optional: boolean } {
    const found = schema instanceof z.ZodObject ? schema.shape[key] : undefined;
    if (found instanceof z.ZodOptional) {
        return { field: found.unwrap(), optional: true };
    }
    return {
        field: found instanceof z.ZodDefault || found instanceof z.ZodPrefault ? undefined : found,
        optional: false,
    };
}

/** Reports whether a value fits on one line. */
function isLine(schema: unknown): schema is z.ZodType {
    return schema instanceof z.ZodArray ? isLine(schema.element) : schema instanceof z.ZodType && !isNested(schema);
}

const isNested = (schema: z.ZodType) => schema instanceof z.ZodObject || schema instanceof z.ZodRecord;

function setting(
    path: readonly string[],
    comment: string,
    example: unknown,
    schema: z.ZodType,
    optional: boolean,
    needs: readonly string[] | undefined,
): Setting {
    const list = schema instanceof z.ZodArray;
    const value = (answer: string) =>
        list
            ? answer
                  .split(",")
                  .map((each) => each.trim())
                  .filter(Boolean)
            : answer.trim();
    return {
        path,
        explanation: [
            comment,
            ...(list ? ["Separate several with commas."] : []),
            ...(optional ? ["Leave it empty to omit it."] : []),
        ].join(" "),
        example: Array.isArray(example) ? example.join(", ") : String(example),
        optional,
        needs,
        value,
        mistake: (answer) => {
            if (optional && answer.trim() === "") {
                return undefined;
            }
            const issue = schema.safeParse(value(answer)).error?.issues[0];
            return issue && `expected ${issue.message}`;
        },
    };
}

/**
 * The settings of an example that have no default, and that fit on one line, in its order. The comment above each in
 * the example explains it.
 *
 * @param example the map under `config` of the example's file
 */
export function settingQuestions(example: YAMLMap, schema: z.ZodType): Setting[] {
    const below = (
        map: YAMLMap,
        parent: unknown,
        path: readonly string[],
        inherited: string,
        isOptional = false,
    ): Setting[] => {
        const explanations = comments(map);
        // Its first answer decides whether the optional part is configured at all.
        const first = [...path, String(map.items[0]?.key).replace(/^hearth:/, "")];
        return map.items.flatMap(({ key, value }, index) => {
            const name = String(key).replace(/^hearth:/, "");
            const { field, optional } = fieldAt(parent, name);
            const here = [...path, name];
            const explanation = oneLine(`${inherited} ${explanations.get(String(key)) ?? ""}`);
            if (isMap(value)) {
                return below(value, field, here, explanation, optional);
            }
            const given = map.toJSON()[String(key)];
            return isLine(field)
                ? [
                      setting(
                          here,
                          explanation,
                          given,
                          field,
                          optional || (isOptional && index === 0),
                          isOptional && index > 0 ? first : undefined,
                      ),
                  ]
                : [];
        });
    };
    return below(example, schema, [], "");
}

/**
 * The secrets to prompt for: those that a chart requires or supports. A generated one is prompted for only if it has an
 * answer already.
 *
 * @param volunteered chart → key → answer
 */
export function secretQuestions(
    declarations: SecretDeclarations,
    volunteered: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Question[] {
    return Object.entries(declarations).flatMap(([chart, keys]) =>
        Object.entries(keys)
            .filter(
                ([key, declaration]) =>
                    "required" in declaration || "optional" in declaration || volunteered[chart]?.[key] !== undefined,
            )
            .map(([key, declaration]) => {
                const optional = !("required" in declaration);
                return {
                    path: ["secrets", chart, key],
                    explanation: optional
                        ? `${declaration.description} Leave it empty to omit it.`
                        : declaration.description,
                    example: "",
                    optional,
                    mistake: (answer: string) =>
                        answer !== ""
                            ? secretMistake(declaration, answer)
                            : optional
                              ? undefined
                              : "expected a string that is not empty",
                };
            }),
    );
}
