import { z } from "zod";
import { checkGivenSecrets, type SecretDeclarations } from "../../components/secret-declarations";
import { findMistakes } from "../../config/mistakes";
import { settingsSchema } from "../../config/schema";
import { isSecretPath, isSecretText } from "../../config/secrets";
import { configDescribed } from "../../config/settings";
import { readYaml, YamlError } from "../../config/yaml";
import { Failure } from "../../lib/failure";
import { exitCodes } from "../verb";
import type { Asked, Prompter } from "./prompter";
import { ciphertext, type StackFile, valueAt } from "./stack-file";
import type { Vault } from "./vault";

const answersSchema = z.looseObject({
    secrets: z.record(z.string(), z.record(z.string(), z.string())).default({}),
});

/** Settings by name, and the secrets by chart and key. */
export type Answers = z.output<typeof answersSchema>;

/** Secret settings that the interview stores. No file has them in plain text. */
const asked = new Set(["kubeconfig", "secrets"]);

const asJson = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`;

/**
 * Reads answers in the form of a stack's config: `hearth:domain: home.example.com` and so on, in YAML.
 *
 * @throws Failure that repeats nothing of the text, which may be secret
 */
export function readAnswers(text: string): Answers {
    let given: unknown;
    try {
        given = readYaml(text, { isSecret: isSecretText }) ?? {};
    } catch (error) {
        throw error instanceof YamlError
            ? new Failure(`the answers on standard input: ${error.message}`, exitCodes.usage)
            : error;
    }
    const answers =
        typeof given === "object" && given !== null && !Array.isArray(given)
            ? Object.fromEntries(
                  Object.entries(given)
                      .map(([key, value]): [string, unknown] => [key.replace(/^hearth:/, ""), value])
                      .map(([key, value]) => [
                          key,
                          key === "kubeconfig" && Object(value) === value ? asJson(value) : value,
                      ]),
              )
            : given;
    const mistakes = findMistakes(answersSchema, answers, configDescribed).map(({ message }) => `  ${message}`);
    if (mistakes.length > 0) {
        throw new Failure(["Mistakes in the answers on standard input:", ...mistakes].join("\n"), exitCodes.usage);
    }
    return answersSchema.parse(answers);
}

/** The declarations, without the checks that an encrypted value passed when it was set. */
function withStandIns(declarations: SecretDeclarations, given: Answers["secrets"]): SecretDeclarations {
    return Object.fromEntries(
        Object.entries(declarations).map(([chart, keys]) => [
            chart,
            Object.fromEntries(
                Object.entries(keys).map(([key, declaration]) => [
                    key,
                    given[chart]?.[key] === ciphertext && "form" in declaration
                        ? { ...declaration, form: undefined }
                        : declaration,
                ]),
            ),
        ]),
    );
}

/**
 * Checks a config as the program will.
 *
 * @param config settings by name, with any string for encrypted values
 * @throws Failure that lists everything that is missing or wrong
 */
export function checkConfig(
    heading: string,
    config: Readonly<Record<string, unknown>>,
    declarations: SecretDeclarations,
    stack: string,
): void {
    // Encrypted values were checked when they were set.
    const mistakes = findMistakes(settingsSchema, config, configDescribed).filter(
        ({ keys }) => valueAt(config, keys) !== ciphertext,
    );
    const lines = mistakes.length > 0 ? [heading, ...mistakes.map(({ message }) => `  ${message}`)] : [];
    const { data: secrets } = settingsSchema.shape.secrets.safeParse(config["secrets"]);
    try {
        checkGivenSecrets(withStandIns(declarations, secrets ?? {}), secrets ?? {}, stack);
    } catch (error) {
        if (!(error instanceof Failure)) {
            throw error;
        }
        lines.push(error.message);
    }
    if (lines.length > 0) {
        throw new Failure(lines.join("\n"), exitCodes.usage);
    }
}

/** Values in the file take precedence over answers. */
export function merge(answers: Answers, config: Readonly<Record<string, unknown>>): Answers {
    const given = answersSchema.parse(config).secrets;
    const charts = [...new Set([...Object.keys(answers.secrets), ...Object.keys(given)])];
    return {
        ...answers,
        ...config,
        secrets: Object.fromEntries(charts.map((chart) => [chart, { ...answers.secrets[chart], ...given[chart] }])),
    };
}

function at(answers: Answers, { title, path = title.replace(/^hearth:/, "").split(".") }: Asked): string {
    const found = valueAt(answers, path);
    return Array.isArray(found) ? found.join(", ") : String(found ?? "");
}

/** Stores the settings among checked answers that a stack's file does not have yet. */
export async function keepSettings(
    file: Pick<StackFile, "at" | "set">,
    vault: Pick<Vault, "set">,
    answers: Answers,
): Promise<void> {
    const keep = async (path: readonly string[], value: unknown): Promise<void> => {
        if (typeof value === "object" && value !== null && !Array.isArray(value)) {
            for (const [key, each] of Object.entries(value)) {
                await keep([...path, key], each);
            }
        } else if (file.at(path) !== undefined) {
            return;
        } else if (isSecretPath(path) && typeof value === "string") {
            await vault.set(path, value);
        } else {
            file.set(path, value);
        }
    };
    for (const [key, value] of Object.entries(answers).filter(([name]) => !asked.has(name))) {
        await keep([key], value);
    }
}

/** Checked answers, instead of a user at a terminal. */
export function answering(answers: Answers, report: (line: string) => void): Prompter {
    const answer: Prompter["text"] = async (asked) => {
        const found = at(answers, asked);
        const wrong = asked.mistake?.(found);
        if (wrong !== undefined) {
            throw new Failure(wrong.startsWith(asked.title) ? wrong : `${asked.title}: ${wrong}`, exitCodes.usage);
        }
        return found;
    };
    return { text: answer, secret: answer, confirm: async () => false, report };
}
