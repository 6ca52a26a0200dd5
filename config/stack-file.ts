import { readFileSync } from "node:fs";
import { type Document, isMap, isScalar, parseDocument, visit } from "yaml";
import { shortened, visible } from "../lib/characters";
import { Failure } from "../lib/failure";

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
    const { document, config } = parseFile(path, text);
    const encrypted: string[][] = [];
    visit(document, {
        Pair: (_, pair, ancestors) => {
            if (isMap(pair.value) && pair.value.items.length === 1 && isScalar(pair.value.get("secure", true))) {
                const keys = [...ancestors, pair].flatMap((each) => ("key" in each ? [String(each.key)] : []));
                encrypted.push(keys.slice(1));
            }
        },
    });
    return { text, config, encrypted };
}

/** @throws Failure that names the line of what is no YAML */
function parseFile(path: string, text: string): { document: Document; config: StackFile["config"] } {
    let line: number | undefined;
    try {
        const document = parseDocument(text);
        const [error] = document.errors;
        line = error?.linePos?.[0].line;
        if (error) {
            throw error;
        }
        return { document, config: document.toJS()?.config ?? {} };
    } catch (error) {
        // A document that is nested without end or repeats itself is an error of another class.
        const [first = ""] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
        throw new Failure(`${path}${line ? `: line ${line}` : ""} is no YAML: ${visible(shortened(first))}`);
    }
}
