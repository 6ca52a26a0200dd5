import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../../lib/run";
import { type ToolName, tool } from "../../toolchain/tools";
import { commandsInSentences, linesOf, pages } from "./pages";

const root = resolve(__dirname, "../..");
/** A command on a page. */
interface Command {
    readonly page: string;
    readonly text: string;
    readonly words: readonly string[];
}

/** Words of a shell line, with the syntax that the pages use: quotes without nesting. */
function wordsOf(line: string): string[] {
    return (line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []).map((word) => word.replace(/^(['"])(.*)\1$/s, "$2"));
}

/** The commands of a page, without leading variables and operators. */
function commandsIn(page: string): Command[] {
    return [...linesOf(page), ...new Set(commandsInSentences(page))]
        .flatMap((line) => line.split(/ (?:&&|\|) (?=(?:[^']*'[^']*')*[^']*$)/))
        .map((each) => each.trim().replace(/^(?:[A-Z_]+=\S+ |export )+/, ""))
        .filter((each) => each !== "" && !/^[A-Z_]+=/.test(each))
        .map((text) => ({ page, text, words: wordsOf(text) }));
}

const commands = pages.flatMap(commandsIn);
const optionsOf = (words: readonly string[]) =>
    words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*$/s, ""));

/** Output of a command's `--help`, read once for each. */
const helps = new Map<string, Promise<string>>();
function helpOf(program: string, ...words: string[]): Promise<string> {
    const key = [program, ...words].join(" ");
    const help = helps.get(key) ?? run(program, [...words, "--help"], { cwd: root }).then(({ output }) => output);
    helps.set(key, help);
    return help;
}

/** Each of the options is in the help, as a separate word. */
function expectOptions({ page, text, words }: Command, help: string): void {
    const unknown = optionsOf(words).filter((option) => !new RegExp(`(^|[\\s,])${option}(?![\\w-])`, "m").test(help));
    expect({ page, text, unknown }).toEqual({ page, text, unknown: [] });
}

/** External programs that a reader has or that the pages require. */
const others = new Set([
    "base64",
    "cd",
    "cp",
    "curl",
    "eval",
    "git",
    "grep",
    "modprobe",
    "npm",
    "source",
    "openssl",
    "restic",
    "ssh",
    "tac",
    "tail",
    "xargs",
]);

/** Checks that a program of the toolchain knows the subcommands, as far as the words are any, and the options. */
async function expectSubcommand(program: ToolName, command: Command, words: readonly string[]): Promise<void> {
    const path: string[] = [];
    for (const word of words) {
        const help = await helpOf(tool(program), ...path);
        if (!new RegExp(`^ {2,4}${word}\\s`, "m").test(help)) {
            break;
        }
        path.push(word);
    }
    expect({ command: command.text, subcommands: path.length > 0 }).toEqual({
        command: command.text,
        subcommands: true,
    });
    const help = await helpOf(tool(program), ...path);
    const globals = program === "kubectl" ? (await run(tool(program), ["options"])).output : "";
    // Subcommands and arguments of a subcommand follow `--`.
    const own = words.slice(0, words.includes("--") ? words.indexOf("--") : undefined);
    expectOptions({ ...command, words: own }, `${help}\n${globals}`);
}

test("the pages have commands", () => {
    expect(commands.length).toBeGreaterThan(50);
});

test.each(commands.map((command) => [command.page, command.text, command] as const))(
    "%s: %s exists, with these options",
    async (_page, _text, command) => {
        const [program = "", ...words] = command.words;
        if (program.startsWith("hack/")) {
            expect(existsSync(join(root, program))).toBe(true);
            expectOptions(command, await helpOf(join(root, program)));
        } else if (program === "pulumi" || words[0] === "pulumi") {
            await expectSubcommand("pulumi", command, program === "pulumi" ? words : words.slice(1));
        } else if (program === "kubectl") {
            await expectSubcommand("kubectl", command, words.slice(words[0] === "-n" ? 2 : 0));
        } else if (program === "npm" && words[0] === "run") {
            const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
            expect(Object.keys(scripts)).toContain(words.find((word, index) => index > 0 && !word.startsWith("-")));
        } else {
            expect([program, others.has(program)]).toEqual([program, true]);
        }
    },
);
