import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { chartName, secretKey } from "../config/schema";
import { dottedPath, removeCommand, setCommand } from "../config/secrets";
import { Failure } from "../lib/failure";
import { mistakesIn, readYamlFile } from "./yaml-file";

/** Forms of configured values, for charts that do not support every string. */
const forms = {
    line: { pattern: /^\P{Cc}+$/u, expected: "a string on one line" },
    word: {
        pattern: /^[\w.:@%+=,/~!#^][\w.:@%+=,/~!#^-]*$/,
        expected: 'letters, digits and _.:@%+=,/~!#^-, of which "-" is not the first',
    },
    hex: { pattern: /^([0-9a-f]{2})+$/, expected: "bytes as hexadecimal digits, in lower case" },
} as const;

const form = z.enum(Object.keys(forms) as (keyof typeof forms)[]).optional();

const declarationSchema = z.union(
    [
        z.strictObject({ description: z.string(), form, required: z.literal(true) }),
        z.strictObject({ description: z.string(), form, optional: z.literal(true) }),
        z.strictObject({
            description: z.string(),
            form,
            generate: z.strictObject({
                length: z.int().min(8).max(512),
                alphabet: z.enum(["alphanumeric", "hex", "ascii"]),
            }),
        }),
        z.strictObject({ description: z.string(), from: z.strictObject({ chart: chartName, key: secretKey }) }),
    ],
    "a description and one of: required: true, optional: true, generate: {length, alphabet}, from: {chart, key}; " +
        "with the first three, form: line, word or hex for a chart that does not support every string",
);

/** Schema of charts/<chart>/secrets.yaml. */
export const fileSchema = z.strictObject({
    secrets: z.record(secretKey, declarationSchema, "the chart's secrets by key, or {} for none"),
});

/** Declaration of one secret in a chart's secrets.yaml. */
export type SecretDeclaration = z.output<typeof declarationSchema>;

/** Mistake in a configured value, as a sentence; undefined if its chart supports it. */
export function secretMistake(declaration: SecretDeclaration, value: string): string | undefined {
    const named = "form" in declaration && declaration.form ? forms[declaration.form] : undefined;
    return named === undefined || named.pattern.test(value) ? undefined : `expected ${named.expected}`;
}

/** Chart → key → declaration. */
export type SecretDeclarations = Readonly<Record<string, Readonly<Record<string, SecretDeclaration>>>>;

/**
 * Reads charts/<chart>/secrets.yaml of each chart; a chart without one needs no secret.
 *
 * @param root the repository's top folder
 * @throws Failure that names the file and the key of every mistake
 */
export function readSecretDeclarations(root: string, charts: readonly string[]): SecretDeclarations {
    const declarations: Record<string, Record<string, SecretDeclaration>> = {};
    const mistakes: string[] = [];
    for (const chart of charts) {
        const file = join(root, "charts", chart, "secrets.yaml");
        if (!existsSync(file)) {
            continue;
        }
        const { document, mistake } = readYamlFile(file);
        const { data } = fileSchema.safeParse(document);
        const found = mistake === undefined ? mistakesIn(fileSchema, document) : [mistake];
        if (found.length === 0 && data) {
            declarations[chart] = data.secrets;
        }
        mistakes.push(...found.map((each) => `  charts/${chart}/secrets.yaml: ${each}`));
    }
    for (const [chart, keys] of Object.entries(declarations)) {
        for (const [key, declaration] of Object.entries(keys)) {
            const from = "from" in declaration ? declaration.from : undefined;
            const origin = from && declarations[from.chart]?.[from.key];
            if (from && (origin === undefined || "from" in origin)) {
                mistakes.push(
                    `  charts/${chart}/secrets.yaml: secrets.${key}.from: charts/${from.chart}/secrets.yaml declares no ` +
                        `"${from.key}" of its own`,
                );
            }
        }
    }
    if (mistakes.length > 0) {
        throw new Failure(["Mistakes in the declarations of secrets:", ...mistakes].join("\n"));
    }
    return declarations;
}

/** Name of a secret in a message: its chart and its key. Either may contain a secret by mistake. */
const nameOf = (chart: string, key: string) => dottedPath(["secrets", chart, key]).replace(/^secrets\./, "");

/**
 * Compares what charts require with what the stack's config gives.
 *
 * @param given chart → key → value, from the stack's config
 * @throws Failure that lists every missing secret with the command that sets it, every one that no chart declares, and
 * every value that its chart does not support
 */
export function checkGivenSecrets(
    declarations: SecretDeclarations,
    given: Readonly<Record<string, Readonly<Record<string, string>>>>,
    stack: string,
): void {
    const missing = Object.entries(declarations).flatMap(([chart, keys]) =>
        Object.entries(keys)
            .filter(([key, declaration]) => "required" in declaration && given[chart]?.[key] === undefined)
            .flatMap(([key, { description }]) => [
                `  ${chart}.${key}: ${description}`,
                `    ${setCommand(stack, ["secrets", chart, key])}`,
            ]),
    );
    const unknown = Object.entries(given).flatMap(([chart, keys]) =>
        Object.keys(keys)
            .filter((key) => {
                const declaration = declarations[chart]?.[key];
                return declaration === undefined || "from" in declaration;
            })
            .flatMap((key) => [`  ${nameOf(chart, key)}`, `    ${removeCommand(stack, ["secrets", chart, key])}`]),
    );
    const refused = Object.entries(given).flatMap(([chart, keys]) =>
        Object.entries(keys).flatMap(([key, value]) => {
            const declaration = declarations[chart]?.[key];
            const mistake = declaration && secretMistake(declaration, value);
            return mistake === undefined ? [] : [`  ${chart}.${key}: ${mistake}`];
        }),
    );
    if (missing.length + unknown.length + refused.length > 0) {
        throw new Failure(
            [
                ...(missing.length > 0 ? ["Secrets that charts require, missing from the stack's config:"] : []),
                ...missing,
                ...(unknown.length > 0 ? ["Secrets in the stack's config that no chart declares:"] : []),
                ...unknown,
                ...(refused.length > 0 ? ["Secrets in the stack's config that their charts do not support:"] : []),
                ...refused,
            ].join("\n"),
        );
    }
}

/**
 * Compares the stack config's rotations with the generated secrets.
 *
 * @param rotations chart → key → day, from the stack's config
 * @throws Failure that lists every rotation of a value that is not generated, with the command that removes it
 */
export function checkRotations(
    declarations: SecretDeclarations,
    given: Readonly<Record<string, Readonly<Record<string, string>>>>,
    rotations: Readonly<Record<string, Readonly<Record<string, string>>>>,
    stack: string,
): void {
    const wrong = Object.entries(rotations).flatMap(([chart, keys]) =>
        Object.keys(keys)
            .filter((key) => {
                const declaration = declarations[chart]?.[key];
                return !(declaration && "generate" in declaration) || given[chart]?.[key] !== undefined;
            })
            .flatMap((key) => [`  ${nameOf(chart, key)}`, `    ${removeCommand(stack, ["rotations", chart, key])}`]),
    );
    if (wrong.length > 0) {
        throw new Failure(
            ["`hearth:rotations` names secrets that are not generated (only generated ones rotate):", ...wrong].join(
                "\n",
            ),
        );
    }
}
