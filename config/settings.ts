import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { shellQuote } from "../lib/shell";
import { findMistakes } from "./mistakes";
import { resolveSettings, type Settings, secretSettings, settingsSchema } from "./schema";

export type { Settings } from "./schema";

/** The stack's config before validation: values by key without the project's namespace, as Pulumi hands them out. */
export interface RawConfig {
    /** Name of the stack, for messages. */
    readonly stack: string;
    /** Plain texts, or JSON for structured values. */
    readonly values: Readonly<Record<string, string>>;
    /** Keys of which at least a part is encrypted, beside those that are secret anyway. */
    readonly secretKeys: ReadonlySet<string>;
}

/** Pulumi hands out structured values as JSON and plain ones as they are; only maps and lists are structured here. */
function parseValue(text: string): unknown {
    if (!/^\s*[[{]/.test(text)) {
        return text;
    }
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}

/**
 * Validates a stack's config.
 *
 * @throws pulumi.RunError that lists every mistake: where, what was found, what is accepted
 */
export function parseSettings(raw: RawConfig): Settings {
    const config = Object.fromEntries(Object.entries(raw.values).map(([key, text]) => [key, parseValue(text)]));
    const mistakes = findMistakes(settingsSchema, config, (key) => secretSettings.has(key) || raw.secretKeys.has(key));
    if (mistakes.length > 0) {
        const count = mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`;
        throw new pulumi.RunError(
            [
                `${count} in the config of stack ${raw.stack} (Pulumi.${raw.stack}.yaml):`,
                ...mistakes.map(({ path, found, accepted }) => `  ${path}: found ${found}; accepted: ${accepted}`),
                `Set a value with: pulumi config set --stack ${raw.stack} --path ${shellQuote(mistakes[0]?.path ?? "")} <value>`,
            ].join("\n"),
        );
    }
    return resolveSettings(settingsSchema.parse(config));
}

/** The SDK keeps the names of encrypted keys in its config map under this key. */
const secretKeysKey = "PULUMI_CONFIG_SECRET_KEYS";

/**
 * The config of the stack that is running, validated before any resource is registered.
 *
 * @throws pulumi.RunError as {@link parseSettings}
 */
export function loadSettings(): Settings {
    const prefix = `${pulumi.getProject()}:`;
    const unprefixed = (keys: string[]) =>
        keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    const all = pulumi.runtime.allConfig();
    const encrypted: string[] = JSON.parse(pulumi.runtime.getConfig(secretKeysKey) ?? "[]");
    const settings = parseSettings({
        stack: pulumi.getStack(),
        values: Object.fromEntries(unprefixed(Object.keys(all)).map((key) => [key, all[prefix + key] ?? ""])),
        secretKeys: new Set(unprefixed(encrypted)),
    });
    // A path is relative to Pulumi.yaml, which is where the program runs; contents have more than one line.
    const { kubeconfig } = settings;
    return kubeconfig === undefined || kubeconfig.includes("\n")
        ? settings
        : { ...settings, kubeconfig: resolve(kubeconfig) };
}
