import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runInNewContext } from "node:vm";
import ts from "typescript";

const root = resolve(__dirname, "../../..");

/** Folders that parse external text: the config, manifests, answers of servers and nodes. */
const folders = ["config", "components", "provision", "hack"];

interface Literal {
    readonly where: string;
    readonly pattern: string;
    readonly flags: string;
}

/** Every regular expression that a file has. */
function literalsOf(file: string): Literal[] {
    const source = ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.Latest);
    const found: Literal[] = [];
    const visit = (node: ts.Node): void => {
        if (ts.isRegularExpressionLiteral(node)) {
            const end = node.text.lastIndexOf("/");
            const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
            found.push({
                where: `${file}:${line + 1}`,
                pattern: node.text.slice(1, end),
                flags: node.text.slice(end + 1),
            });
        }
        ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
}

const literals = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((file) => /\.m?ts$/.test(file))
        .flatMap((file) => literalsOf(`${folder}/${file}`)),
);

/** Strings that cause backtracking in a regular expression: repetitions with an end that does not match. */
const parts = [..."aA0_-./:=+ @#*\n'\"", "a.", "a-", "a/", "/.", "..", "a ", " a", "a=", "a:", "0.", "aA0", "a,", "- "];
const pumps = parts.map((part) => `${part.repeat(100_000 / part.length)}\0`);

/** Milliseconds after which an expression is stopped; linear ones take less than one. */
const limit = 5_000;

test("no regular expression has more than linear run time", () => {
    expect(literals.length).toBeGreaterThan(50);
    const slow = literals.filter(({ pattern, flags }) => {
        const context = { pumps, pattern, flags: flags.replace("g", "") };
        try {
            runInNewContext("pumps.forEach((text) => new RegExp(pattern, flags).test(text))", context, {
                timeout: limit,
            });
            return false;
        } catch {
            return true;
        }
    });
    expect(slow.map(({ where, pattern }) => `${where}: /${pattern}/`)).toEqual([]);
});
