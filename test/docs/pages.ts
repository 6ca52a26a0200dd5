import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");

const pagesIn = (folder: string) =>
    readdirSync(join(root, folder))
        .filter((name) => name.endsWith(".md"))
        .map((name) => `${folder}/${name}`);

/** The pages of the top folder and of docs/, by path from the top folder. */
export const pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...pagesIn("docs"), ...pagesIn("docs/runbooks")];

/**
 * Commands that a reader of a page types into a shell, in the page's order: its shell blocks by lines, without
 * comments. A command that continues after a pipe or within quotes is one line here; input of a command is left out.
 */
export function linesOf(page: string): string[] {
    const text = readFileSync(join(root, page), "utf8");
    const blocks = [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)].map(([, block = ""]) => block);
    return blocks.flatMap((block) =>
        block
            .replace(/<<EOF\n[\s\S]*?\n *EOF/g, "")
            .replace(/(^|\s)# .*$/gm, "")
            .replace(/\|\n\s*/g, "| ")
            .replace(/'[^']*'/g, (quoted) => quoted.replace(/\n\s*/g, " "))
            .split("\n")
            .map((line) => line.trim())
            .filter((line) => line !== ""),
    );
}

/** Commands in a page's inline code: this repository's, Pulumi's and kubectl's. */
export function commandsInSentences(page: string): string[] {
    const text = readFileSync(join(root, page), "utf8").replace(/^ *```[\s\S]*?^ *```/gm, "");
    return [...text.matchAll(/`([^`]+)`/g)]
        .map(([, code = ""]) => code.replace(/\s+/g, " "))
        .filter((code) => /^(hack\/\w|(npx )?pulumi \w|kubectl \w*|kubectl -|npm run \w)/.test(code));
}
