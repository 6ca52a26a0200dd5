import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { parse } from "yaml";
import { Asset, isObject, mapProperties, type Properties, Secret, Unknown, type Value } from "../../shared/values";
import { stringAt } from "../objects";

/** Arguments of a release that are flags. */
const flags = [
    "allowNullValues",
    "atomic",
    "cleanupOnFail",
    "createNamespace",
    "dependencyUpdate",
    "devel",
    "disableCRDHooks",
    "disableOpenapiValidation",
    "disableWebhooks",
    "forceUpdate",
    "lint",
    "recreatePods",
    "renderSubchartNotes",
    "replace",
    "resetValues",
    "reuseValues",
    "skipAwait",
    "skipCrds",
    "verify",
    "waitForJobs",
] as const;

/** Arguments of a release that are texts. */
const texts = ["chart", "description", "keyring", "name", "namespace", "postrender", "version"] as const;

const repositoryTexts = ["repo", "caFile", "certFile", "keyFile", "password", "username"] as const;

/** Where a chart comes from. */
export type RepositoryOptions = Record<(typeof repositoryTexts)[number], string>;

/** A release with all its arguments; empty where the program says nothing. */
export type Release = Record<(typeof flags)[number], boolean> &
    Record<(typeof texts)[number], string> & {
        /** Seconds. */
        timeout: number;
        maxHistory?: number;
        repositoryOpts?: RepositoryOptions;
        values: Properties;
        resourceNames?: Record<string, string[]>;
        status?: Properties;
    };

function typed(properties: Properties, key: string, type: "boolean" | "string" | "number"): Value | undefined {
    const value = properties[key];
    if (value === undefined || value === null) {
        return undefined;
    }
    if (typeof value !== type) {
        throw new Error(
            "decoding failure: 1 error(s) decoding:\n\n" +
                `* '${key}' expected type '${type}', got unconvertible type '${typeof value}'`,
        );
    }
    return value;
}

/** Merges two sets of values: objects key by key, everything else by what comes later. */
export function mergeValues(base: Properties, over: Properties): Properties {
    const merged = { ...base };
    for (const [key, value] of Object.entries(over)) {
        const below = merged[key];
        merged[key] = isObject(value) && isObject(below) ? mergeValues(below, value) : value;
    }
    return merged;
}

/**
 * Reads YAML as Helm does: version 1.1, where yes and on are true, but without its times of day.
 *
 * @throws Error when it is malformed
 */
export function parseValues(text: string): Properties {
    const document: unknown = parse(text, {
        version: "1.1",
        customTags: (tags) =>
            tags.filter(
                (tag) =>
                    typeof tag === "string" || (tag.format !== "TIME" && tag.tag !== "tag:yaml.org,2002:timestamp"),
            ),
    });
    if (document === null || document === undefined) {
        return {};
    }
    if (!isObject(document as Value)) {
        throw new Error(
            "error unmarshaling JSON: json: cannot unmarshal into Go value of type map[string]interface {}",
        );
    }
    return document as Properties;
}

async function textOfAsset({ content }: Asset): Promise<string> {
    if (content.path !== undefined) {
        return readFileSync(content.path, "utf8");
    }
    if (content.uri !== undefined) {
        return content.uri.startsWith("file:")
            ? readFileSync(new URL(content.uri), "utf8")
            : (await fetch(content.uri)).text();
    }
    return content.text ?? "";
}

async function valuesOfFiles(files: Value | undefined): Promise<Properties> {
    let values: Properties = {};
    for (const file of Array.isArray(files) ? files : []) {
        if (!(file instanceof Asset)) {
            throw new Error("unsupported type for 'valueYamlFiles' arg: []interface {}");
        }
        values = mergeValues(values, parseValues(await textOfAsset(file)));
    }
    return values;
}

/** Secrets revealed, and null for what is not known yet. */
export function extracted(properties: Properties): Properties {
    const replace = (value: Value): Value | undefined => {
        if (value instanceof Secret) {
            return replace(value.element) ?? mapProperties({ value: value.element }, replace)["value"];
        }
        return value instanceof Unknown ? null : undefined;
    };
    return mapProperties(properties, replace);
}

/**
 * Reads a release's arguments, or its state.
 *
 * @throws Error when one has the wrong type, or a values file cannot be read
 */
export async function decodeRelease(properties: Properties): Promise<Release> {
    const plain = extracted(properties);
    const given = plain["repositoryOpts"];
    const maxHistory = typed(plain, "maxHistory", "number");
    const { values, resourceNames, status } = plain;
    return {
        ...(Object.fromEntries(flags.map((key) => [key, typed(plain, key, "boolean") ?? false])) as Record<
            (typeof flags)[number],
            boolean
        >),
        ...(Object.fromEntries(texts.map((key) => [key, typed(plain, key, "string") ?? ""])) as Record<
            (typeof texts)[number],
            string
        >),
        timeout: Math.trunc(Number(typed(plain, "timeout", "number") ?? 0)),
        ...(maxHistory === undefined ? {} : { maxHistory: Math.trunc(Number(maxHistory)) }),
        ...(isObject(given)
            ? {
                  repositoryOpts: Object.fromEntries(
                      repositoryTexts.map((key) => [key, typed(given, key, "string") ?? ""]),
                  ) as RepositoryOptions,
              }
            : {}),
        values: mergeValues(await valuesOfFiles(plain["valueYamlFiles"]), isObject(values) ? values : {}),
        ...(isObject(resourceNames) ? { resourceNames: resourceNames as Record<string, string[]> } : {}),
        ...(isObject(status) ? { status } : {}),
    };
}

/** A release as properties: every argument is there, empty or not. */
export function encodeRelease(release: Release): Properties {
    return Object.fromEntries(Object.entries(release).filter(([, value]) => value !== undefined)) as Properties;
}

/** Gives arguments their defaults. Changes `inputs`. */
export function setDefaults(inputs: Properties, namespace: string): void {
    if (inputs["namespace"] === undefined || inputs["namespace"] === "") {
        inputs["namespace"] = namespace;
    }
    const waits = inputs["skipAwait"] === undefined || inputs["skipAwait"] === false;
    if (waits && !("timeout" in inputs)) {
        inputs["timeout"] = 300;
    }
    if (inputs["verify"] === true && stringAt(inputs, "keyring") === "") {
        inputs["keyring"] = `${homedir()}/.gnupg/pubring.gpg`;
    }
}
