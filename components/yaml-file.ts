import { readFileSync, statSync } from "node:fs";
import type { z } from "zod";
import { findMistakes } from "../config/mistakes";
import { dottedPath } from "../config/secrets";
import { readYaml, YamlError } from "../config/yaml";

/** Bytes of the largest file that is read; the largest of this repository's manifests has a few thousand. */
const largest = 1024 * 1024;

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
        const document = readYaml(readFileSync(path, "utf8"));
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
