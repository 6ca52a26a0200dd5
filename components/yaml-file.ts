import { readFileSync, statSync } from "node:fs";
import { parse } from "yaml";
import type { z } from "zod";
import { hiddenKeys } from "../config/hidden-keys";
import { shortened, visible } from "../lib/characters";

/** Bytes of the largest file that is read; the largest of this repository's manifests has some thousand. */
const largest = 1024 * 1024;

/** The file's one document, or in words why it has none. */
export function readYaml(path: string): { readonly document?: unknown; readonly mistake?: string } {
    if (statSync(path).size > largest) {
        return { mistake: "larger than 1 MiB" };
    }
    try {
        const document: unknown = parse(readFileSync(path, "utf8"));
        const [hidden] = hiddenKeys(document);
        return hidden ? { mistake: mistakeOf({ path: hidden, message: "no key can have this name" }) } : { document };
    } catch (error) {
        // A document that is nested without end or repeats itself is an error of another class.
        const [first = ""] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
        return { mistake: `no YAML that can be read: ${visible(shortened(first))}` };
    }
}

/** Characters of what a message says is accepted; a message repeats keys that are not known. */
const longestMessage = 400;

/** Where in a document a mistake is, and what is accepted there. */
export function mistakeOf({ path, message }: Pick<z.core.$ZodIssue, "path" | "message">): string {
    return visible(`${shortened(path.join("."))}: ${message.slice(0, longestMessage)}`);
}
