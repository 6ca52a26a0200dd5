import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RunError } from "@pulumi/pulumi/errors";
import { parse } from "yaml";
import { z } from "zod";

const declarationSchema = z.union(
    [
        z.strictObject({ description: z.string(), required: z.literal(true) }),
        z.strictObject({ description: z.string(), optional: z.literal(true) }),
        z.strictObject({
            description: z.string(),
            generate: z.strictObject({
                length: z.int().min(8).max(512),
                alphabet: z.enum(["alphanumeric", "hex", "ascii"]),
            }),
        }),
        z.strictObject({ description: z.string(), from: z.strictObject({ chart: z.string(), key: z.string() }) }),
    ],
    "a description and one of: required: true, optional: true, generate: {length, alphabet}, from: {chart, key}",
);

const fileSchema = z.strictObject({ secrets: z.record(z.string(), declarationSchema) });

/** What a chart's secrets.yaml says of one secret. */
export type SecretDeclaration = z.output<typeof declarationSchema>;

/** Chart → key → declaration. */
export type SecretDeclarations = Readonly<Record<string, Readonly<Record<string, SecretDeclaration>>>>;

/**
 * Reads charts/<chart>/secrets.yaml of each chart; a chart without one needs no secret.
 *
 * @param root the repository's top folder
 * @throws RunError that names the file and the key of every mistake
 */
export function readSecretDeclarations(root: string, charts: readonly string[]): SecretDeclarations {
    const declarations: Record<string, Record<string, SecretDeclaration>> = {};
    const mistakes: string[] = [];
    for (const chart of charts) {
        const file = join(root, "charts", chart, "secrets.yaml");
        if (!existsSync(file)) {
            continue;
        }
        const { data, error } = fileSchema.safeParse(parse(readFileSync(file, "utf8")));
        if (data) {
            declarations[chart] = data.secrets;
        }
        for (const issue of error?.issues ?? []) {
            mistakes.push(`  charts/${chart}/secrets.yaml: ${issue.path.join(".")}: accepted: ${issue.message}`);
        }
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
        throw new RunError(["Mistakes in the declarations of secrets:", ...mistakes].join("\n"));
    }
    return declarations;
}

/**
 * Compares what charts require with what the stack's config gives.
 *
 * @param given chart → key → value, from the stack's config
 * @throws RunError that lists every missing secret with the command to type, and every one that no chart asks for
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
                `    pulumi config set --stack ${stack} --secret --path 'hearth:secrets.${chart}.${key}'`,
            ]),
    );
    const unknown = Object.entries(given).flatMap(([chart, keys]) =>
        Object.keys(keys)
            .filter((key) => {
                const declaration = declarations[chart]?.[key];
                return declaration === undefined || "from" in declaration;
            })
            .flatMap((key) => [
                `  ${chart}.${key}`,
                `    pulumi config rm --stack ${stack} --path 'hearth:secrets.${chart}.${key}'`,
            ]),
    );
    if (missing.length + unknown.length > 0) {
        throw new RunError(
            [
                ...(missing.length > 0 ? ["Secrets that charts require and the stack's config does not have:"] : []),
                ...missing,
                ...(unknown.length > 0 ? ["Secrets in the stack's config that no chart asks for:"] : []),
                ...unknown,
            ].join("\n"),
        );
    }
}

/**
 * Compares what the stack's config rotates with what is generated.
 *
 * @param rotations chart → key → day, from the stack's config
 * @throws RunError that lists every rotation of a value that is not generated, with the command that takes it out
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
            .flatMap((key) => [
                `  ${chart}.${key}`,
                `    pulumi config rm --stack ${stack} --path 'hearth:rotations.${chart}.${key}'`,
            ]),
    );
    if (wrong.length > 0) {
        throw new RunError(["Rotated in the stack's config, and not generated:", ...wrong].join("\n"));
    }
}
