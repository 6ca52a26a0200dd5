import { readFileSync, statSync } from "node:fs";
import type { z } from "zod";
import { findMistakes } from "../config/mistakes";
import { dottedPath } from "../config/secrets";
import { readYaml, YamlError } from "../config/yaml";

/** Bytes of the largest file that is read; the largest of this repository's manifests has a few thousand. */
const largest = 1024 * 1024;

/** Documents by their text: several checks of one run read the values of every chart. */
const documents = new Map<string, unknown>();

function documentOf(text: string): unknown {
    if (!documents.has(text)) {
        documents.set(text, frozen(readYaml(text)));
    }
    return documents.get(text);
}

/** A value that no reader can change for the others. */
function frozen(value: unknown): unknown {
    if (!Object.isFrozen(value)) {
        Object.values(Object(value)).forEach(frozen);
        Object.freeze(value);
    }
    return value;
}

/** The file's one document, or the reason why it has none. */
export function readYamlFile(path: string): { readonly document?: unknown; readonly mistake?: string } {
    const file = statSync(path, { throwIfNoEntry: false });
    if (file?.isFile() !== true) {
        return { mistake: "not a file" };
    }
    if (file.size > largest) {
        return { mistake: "larger than 1 MiB" };
    }
    try {
        const document = documentOf(readFileSync(path, "utf8"));
        return document === undefined ? { mistake: "empty" } : { document };
    } catch (error) {
        if (error instanceof YamlError) {
            return { mistake: error.message };
        }
        throw error;
    }
}

/** Every mistake that a schema finds in a document, as sentences. */
export function mistakesIn(schema: z.ZodType, document: unknown): string[] {
    return findMistakes(schema, document, { path: dottedPath }).map(({ message }) => message);
}
