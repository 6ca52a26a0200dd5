import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ofKind } from "../charts/manifest";
import { Workspace } from "../charts/workspace";

/** The ConfigMaps of charts/monitoring: name → file → text. */
export type Configs = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** An alert or a recording rule, as Prometheus reads it. */
export interface Rule {
    readonly alert?: string;
    readonly record?: string;
    readonly expr: string;
    readonly for?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
}

/** A file of rules, as Prometheus reads it. */
export interface RuleFile {
    readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

/**
 * Contents of the chart's ConfigMaps, as Argo CD renders them.
 *
 * @param values arguments of `helm template` that set values
 */
export async function renderConfigs(...values: readonly string[]): Promise<Configs> {
    const workspace = new Workspace("helm4");
    try {
        const objects = await workspace.render("monitoring", ...values);
        return new Map(ofKind(objects, "ConfigMap").map(({ metadata, data }) => [metadata.name, data ?? {}]));
    } finally {
        workspace.remove();
    }
}

/** The files of one ConfigMap. */
export function filesOf(configs: Configs, name: string): Readonly<Record<string, string>> {
    const files = configs.get(name);
    if (!files) {
        throw new Error(`charts/monitoring renders no ConfigMap ${name}`);
    }
    return files;
}

/** Writes the files of one ConfigMap as its volume would show them, and returns their paths. */
export function writeFiles(configs: Configs, name: string, directory: string): string[] {
    mkdirSync(directory, { recursive: true });
    return Object.entries(filesOf(configs, name)).map(([file, text]) => {
        const path = join(directory, file);
        writeFileSync(path, text);
        return path;
    });
}

/** Every rule of the chart. */
export function rulesOf(configs: Configs): Rule[] {
    return Object.values(filesOf(configs, "rules")).flatMap((text) =>
        (parse(text) as RuleFile).groups.flatMap(({ rules }) => rules),
    );
}
