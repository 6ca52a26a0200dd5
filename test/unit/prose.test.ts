import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parse } from "yaml";

const files = (...patterns: string[]) =>
    execFileSync("git", ["ls-files", ...patterns], { encoding: "utf8" })
        .trim()
        .split("\n");
const rule = (name: string) => parse(readFileSync(`.vale/styles/Hearth/${name}.yml`, "utf8"));

/** First lines of the comments of a source file, with their line numbers. */
function openings(file: string): (readonly [line: number, text: string])[] {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.flatMap((line, index) => {
        const [, mark, text] = /^\s*(\/\*\*|\/\/|\*|#(?!!))\s+(.*)/.exec(line) ?? [];
        const before = lines[index - 1]?.trim() ?? "";
        const begins = mark === "/**" || (mark === "*" ? before === "/**" : !before.startsWith(mark ?? "-"));
        return begins && text ? [[index + 1, text] as const] : [];
    });
}

test("comments begin with a noun or a verb", () => {
    const question = new RegExp(rule("Openings").raw[0]);
    const sources = files("*.ts", "*.mts", "*.cjs");
    const found = sources
        .flatMap((file) => openings(file).map(([line, text]) => `${file}:${line}: ${text}`))
        .filter((each) => question.test(each.replace(/^\S+ /, "")));

    expect(found).toEqual([]);
});

test("pages, comments and tests use the words of the glossary", () => {
    const swap: Record<string, string> = rule("Glossary").swap;
    const found = files("*.md", "*.ts", "*.sh").flatMap((file) => {
        const text = readFileSync(file, "utf8").replace(/\s+/g, " ");
        return Object.entries(swap)
            .filter(([word]) => new RegExp(`\\b${word}\\b`, "i").test(text))
            .map(([word, better]) => `${file}: write "${better}" instead of "${word}"`);
    });

    expect(found).toEqual([]);
});
