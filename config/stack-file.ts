import { readFileSync } from "node:fs";
import { isMap, isScalar, parseDocument, visit } from "yaml";
import { Failure } from "../toolchain/failure";

/** A stack's file: Pulumi.<stack>.yaml. */
export interface StackFile {
    readonly text: string;
    /** What stands under `config`, by key with the project's namespace; encrypted values as they are. */
    readonly config: Readonly<Record<string, unknown>>;
    /** The paths of the encrypted values, each as its keys. */
    readonly encrypted: readonly (readonly string[])[];
}

/**
 * Reads a stack's file.
 *
 * @throws Failure that names the line of a merge conflict, or of what is no YAML
 */
export function readStackFile(path: string): StackFile {
    const text = readFileSync(path, "utf8");
    const conflict = text.split("\n").findIndex((line) => /^(<{7}|={7}|>{7})( |$)/.test(line));
    if (conflict >= 0) {
        throw new Failure(
            `${path}: line ${conflict + 1} is a merge conflict: keep the lines of one side, take out the marks, and run it ` +
                "again. Each encrypted value is whole on either side.",
        );
    }
    const document = parseDocument(text);
    const [error] = document.errors;
    if (error) {
        const line = error.linePos?.[0].line;
        throw new Failure(`${path}${line ? `: line ${line}` : ""} is no YAML: ${error.message.split("\n", 1)[0]}`);
    }
    const encrypted: string[][] = [];
    visit(document, {
        Pair: (_, pair, ancestors) => {
            if (isMap(pair.value) && pair.value.items.length === 1 && isScalar(pair.value.get("secure", true))) {
                const keys = [...ancestors, pair].flatMap((each) => ("key" in each ? [String(each.key)] : []));
                encrypted.push(keys.slice(1));
            }
        },
    });
    const { config } = document.toJS() ?? {};
    return { text, config: config ?? {}, encrypted };
}
