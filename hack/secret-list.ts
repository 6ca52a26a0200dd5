import { visit } from "yaml";
import type { SecretDeclarations } from "../components/secret-declarations";
import { editableYaml } from "../config/yaml";

/** One secret of the home, without its value. */
export interface SecretRow {
    readonly chart: string;
    readonly key: string;
    /** Source of its value: "config", "generated", "database.immich-password", or "missing". */
    readonly from: string;
    /** True if the chart works without it. */
    readonly optional: boolean;
    readonly description: string;
    /** The path of its line in the stack's file, in the order of the keys, if it has one there. */
    readonly path: readonly string[] | undefined;
}

/** Secrets in a stack's file, with encrypted values. */
export interface StackSecrets {
    readonly secrets?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    readonly rotations?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Every secret that the charts declare, ordered by chart and key. */
export function listSecrets(declarations: SecretDeclarations, stack: StackSecrets): SecretRow[] {
    return Object.entries(declarations).flatMap(([chart, keys]) =>
        Object.entries(keys).map(([key, declaration]) => {
            const common = { chart, key, description: declaration.description, optional: "optional" in declaration };
            if (stack.secrets?.[chart]?.[key] !== undefined) {
                return { ...common, from: "config", path: ["hearth:secrets", chart, key] };
            }
            if ("generate" in declaration) {
                const rotated = stack.rotations?.[chart]?.[key] !== undefined;
                return { ...common, from: "generated", path: rotated ? ["hearth:rotations", chart, key] : undefined };
            }
            const from = "from" in declaration ? `${declaration.from.chart}.${declaration.from.key}` : "missing";
            return { ...common, from, path: undefined };
        }),
    );
}

/** The line number, from 0, of the value of each path under `config`, by the path's keys. */
export function linesOf(text: string): Map<string, number> {
    const lines = new Map<string, number>();
    const lineAt = (offset: number) => text.slice(0, offset).split("\n").length - 1;
    visit(editableYaml(text), {
        Pair: (_, pair, ancestors) => {
            const keys = [...ancestors, pair].flatMap((each) =>
                typeof each === "object" && each !== null && "key" in each ? [String(each.key)] : [],
            );
            const value = pair.value as { readonly range?: readonly [number, number, number] } | null;
            if (keys[0] === "config" && value?.range) {
                lines.set(keys.slice(1).join("\n"), lineAt(value.range[0]));
            }
        },
    });
    return lines;
}
