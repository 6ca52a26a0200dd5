import { readFileSync, statSync } from "node:fs";
import { isMap, isScalar, isSeq, type Scalar, visit } from "yaml";
import { Failure } from "../lib/failure";
import { isSecretPath, isSecretText } from "./secrets";
import { editableYaml, toValue, YamlError } from "./yaml";

/** A stack's file: Pulumi.<stack>.yaml. */
export interface StackFile {
    readonly text: string;
    /** Content of `config`, by key with the project's namespace; encrypted values as they are. */
    readonly config: Readonly<Record<string, unknown>>;
    /** The paths of the encrypted values, each as its keys. */
    readonly encrypted: readonly (readonly [first: string, ...rest: (string | number)[]])[];
}

/** Name of a stack's file. A stack's name may include its organization and project, which the file's does not. */
export function stackFileName(stack: string): string {
    return `Pulumi.${stack.split("/").at(-1)}.yaml`;
}

/** A key of the config as Pulumi completes it: without a namespace, it is this project's. */
const completed = (key: string) => (key.includes(":") ? key.replace(/^hearth:config:/, "hearth:") : `hearth:${key}`);

/**
 * Reads a stack's file as Pulumi does.
 *
 * @throws Failure with the line of a merge conflict or of invalid YAML
 */
export function readStackFile(path: string): StackFile {
    if (!statSync(path).isFile()) {
        throw new Failure(`${path} is not a file`);
    }
    const text = readFileSync(path, "utf8");
    const conflict = text.split("\n").findIndex((line) => /^(<{7}|={7}|>{7})( |$)/.test(line));
    if (conflict >= 0) {
        throw new Failure(
            `${path}: line ${conflict + 1} is a merge conflict: keep the lines of one side, remove the markers, and rerun ` +
                "again. Each encrypted value is complete on either side.",
        );
    }
    try {
        const document = editableYaml(text, {
            isSecret: ([first, ...path]) => first === "config" && isSecretText(path),
        });
        const encrypted: [string, ...(string | number)[]][] = [];
        visit(document, {
            Pair: (_, pair, ancestors) => {
                if (isMap(pair.value) && pair.value.items.length === 1 && isScalar(pair.value.get("secure", true))) {
                    const chain = [...ancestors, pair];
                    const keys = chain.flatMap((each, index): (string | number)[] =>
                        isSeq(each)
                            ? [each.items.indexOf(chain[index + 1])]
                            : "key" in each
                              ? [String((each.key as Scalar).value ?? each.key)]
                              : [],
                    );
                    encrypted.push([completed(String(keys[1])), ...keys.slice(2)]);
                }
            },
        });
        const config: unknown = Object(toValue(document)).config ?? {};
        const entries = Object.entries(typeof config === "object" ? (config as object) : {});
        return { text, config: Object.fromEntries(entries.map(([key, value]) => [completed(key), value])), encrypted };
    } catch (error) {
        if (error instanceof YamlError) {
            throw new Failure(`${path}: ${error.message}`);
        }
        throw error;
    }
}

/**
 * The paths of unencrypted secrets in a config.
 * @param isEncrypted whether the value at a path is
 */
export function plainSecrets(
    config: Readonly<Record<string, unknown>>,
    isEncrypted: (path: readonly string[]) => boolean,
    path: readonly string[] = [],
): string[][] {
    return Object.entries(config).flatMap(([key, value]) => {
        const here = [...path, key];
        if (isEncrypted(here)) {
            return [];
        }
        if (isSecretPath(here)) {
            return [here];
        }
        return typeof value === "object" && value !== null && !Array.isArray(value)
            ? plainSecrets(value as Readonly<Record<string, unknown>>, isEncrypted, here)
            : [];
    });
}

/**
 * Limit in bytes of a config that Pulumi passes to the program in one variable, which Linux limits to 128 KiB with its
 * name.
 */
const largest = 120_000;

/** Bytes of a config as Pulumi passes it; the length of an encrypted value follows from its ciphertext. */
export function configSize(config: Readonly<Record<string, unknown>>): number {
    const text = JSON.stringify(config, (_, value: unknown) => {
        const secure: unknown = Object(value).secure;
        // v1:<nonce>:<base64 of the value and 16 bytes more>
        return typeof secure === "string"
            ? "x".repeat(Math.max(0, Buffer.from(secure.split(":")[2] ?? secure, "base64").length - 16))
            : value;
    });
    return Buffer.byteLength(text);
}

/** @throws Failure when a config of so many bytes would keep the program from starting */
export function checkSize(file: string, bytes: number): void {
    if (bytes > largest) {
        throw new Failure(
            `The values in ${file} have ${bytes} bytes in all, and at most ${largest} can be passed to the program ("argument list ` +
                'too long"): shorten the largest secrets',
        );
    }
}
