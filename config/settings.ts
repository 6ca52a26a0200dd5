import { existsSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { Failure } from "../lib/failure";
import { isKubeconfigContents, KubeconfigError, kubeconfigPath, readKubeconfig } from "./kubeconfig";
import { findMistakes } from "./mistakes";
import { resolveSettings, type Settings, settingsSchema } from "./schema";
import { accountPaths, configPath, secrecyOf, secretPaths, setCommand } from "./secrets";
import { plainSecrets, readStackFile, stackFileName } from "./stack-file";
import { settingWarnings } from "./warnings";

export type { Settings } from "./schema";

/** The stack's config before validation: values by key without the project's namespace, as Pulumi passes them. */
export interface RawConfig {
    /** Name of the stack, for messages. */
    readonly stack: string;
    /** Plain strings, or JSON for structured values. */
    readonly values: Readonly<Record<string, string>>;
    /** Keys that are encrypted at least in part, in addition to the secret settings. */
    readonly secretKeys: ReadonlySet<string>;
    /** Paths of the encrypted values, if the stack's file has them; everything under `secretKeys` by default. */
    readonly encrypted?: readonly (readonly PropertyKey[])[];
}

/** Pulumi passes structured values as JSON and plain ones unchanged; only maps and lists are structured here. */
export function parseValue(key: string, text: string): unknown {
    // A kubeconfig as JSON stays a string.
    if (key === "kubeconfig" || !/^\s*[[{]/.test(text)) {
        return text;
    }
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}

/** Describes a stack's config to {@link findMistakes}. */
export const configDescribed = { path: configPath, secrets: [...secretPaths, ...accountPaths] };

/**
 * Validates a stack's config.
 *
 * @throws Failure that lists every mistake: its path, the value, the expected form
 */
export function parseSettings(raw: RawConfig): Settings {
    const config = Object.fromEntries(Object.entries(raw.values).map(([key, text]) => [key, parseValue(key, text)]));
    const encrypted = raw.encrypted ?? [...raw.secretKeys].map((key) => [key]);
    const mistakes = findMistakes(settingsSchema, config, {
        path: configPath,
        secrets: [...configDescribed.secrets, ...encrypted],
    });
    const [first] = mistakes;
    if (first !== undefined) {
        const count = mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`;
        const value = first.unquoted ? "--type string <value>" : "<value>";
        throw new Failure(
            [
                `${count} in the config of stack ${raw.stack} (${stackFileName(raw.stack)}):`,
                ...mistakes.map(({ message }) => `  ${message}`),
                `Set a value with: ${setCommand(raw.stack, first.keys, value)}`,
            ].join("\n"),
        );
    }
    return resolveSettings(settingsSchema.parse(config));
}

/**
 * Rejects secrets that the stack's file holds in plain text.
 *
 * @param config settings by name
 * @param isEncrypted whether the value at a path of keys is encrypted
 * @throws Failure with the command that encrypts each
 */
export function checkEncryption(
    stack: string,
    config: Readonly<Record<string, unknown>>,
    isEncrypted: (path: readonly string[]) => boolean,
): void {
    const plain = plainSecrets(config, isEncrypted).filter(
        (path) => path[0] !== "kubeconfig" || isKubeconfigContents(String(config["kubeconfig"])),
    );
    if (plain.length > 0) {
        throw new Failure(
            [
                `Secrets in plain text in ${stackFileName(stack)}, which Git keeps forever. Encrypt each with:`,
                ...plain.map((path) => `  ${setCommand(stack, path)}`),
                "Rotate each one that was committed or pushed.",
            ].join("\n"),
        );
    }
}

/** Reports whether Pulumi decrypted a value, or a part of it, for this program. The SDK's types omit this method. */
const isConfigSecret: (key: string) => boolean = Reflect.get(pulumi.runtime, "isConfigSecret");

/**
 * The paths of encrypted values in the stack's file, which has them for the parts of a structured value; Pulumi itself
 * only reports the top-level key.
 */
function encryptedPaths(stack: string, secretKeys: ReadonlySet<string>): PropertyKey[][] {
    const file = stackFileName(stack);
    const { config, encrypted } = existsSync(file) ? readStackFile(file) : { config: {}, encrypted: [] };
    return [...secretKeys].flatMap((key) =>
        // Another file may have been named on the command line.
        `hearth:${key}` in config
            ? encrypted.filter(([first]) => first === `hearth:${key}`).map(([, ...rest]) => [key, ...rest])
            : [[key]],
    );
}

/**
 * The kubeconfig as all its consumers accept it: an absolute path, or contents.
 *
 * @throws Failure when it cannot be used
 */
function resolveKubeconfig(given: string, context: string | undefined): string {
    // A preview needs no cluster: the sandbox's, or the one of another checkout, may not exist yet.
    const isMissing = !isKubeconfigContents(given) && !existsSync(kubeconfigPath(given));
    if (isMissing && pulumi.runtime.isDryRun()) {
        return kubeconfigPath(given);
    }
    try {
        return readKubeconfig(given, { context }).value;
    } catch (error) {
        throw error instanceof KubeconfigError ? new Failure(error.message) : error;
    }
}

/**
 * The config of the running stack, validated before any resource is registered.
 *
 * @throws Failure as {@link parseSettings}
 */
export function loadSettings(): Settings {
    const prefix = `${pulumi.getProject()}:`;
    const unprefixed = (keys: string[]) =>
        keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    const all = pulumi.runtime.allConfig();
    const secretKeys = new Set(unprefixed(Object.keys(all).filter(isConfigSecret)));
    const stack = pulumi.getStack();
    const values = Object.fromEntries(unprefixed(Object.keys(all)).map((key) => [key, all[prefix + key] ?? ""]));
    const encrypted = encryptedPaths(stack, secretKeys);
    const settings = parseSettings({ stack, values, secretKeys, encrypted });
    const given = Object.fromEntries(Object.entries(values).map(([key, text]) => [key, parseValue(key, text)]));
    checkEncryption(stack, given, (path) => secrecyOf(path, encrypted) === "secret");
    for (const warning of settingWarnings(settings)) {
        void pulumi.log.warn(warning);
    }
    // A path is relative to Pulumi.yaml, which is in the program's working directory.
    const { kubeconfig, context } = settings;
    return kubeconfig === undefined ? settings : { ...settings, kubeconfig: resolveKubeconfig(kubeconfig, context) };
}
