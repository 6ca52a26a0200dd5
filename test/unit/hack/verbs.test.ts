import { execFile } from "node:child_process";
import { readdirSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Verb } from "../../../hack/verb";

const root = resolve(__dirname, "../../..");
const verbs = readdirSync(join(root, "hack/verbs")).map((file) => file.replace(/\.ts$/, ""));

interface Outcome {
    readonly status: number;
    readonly stdout: string;
    readonly stderr: string;
}

/** Programs are started here many times, in parallel where Jest allows it. */
function outcome(program: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Outcome> {
    return new Promise((done) => {
        execFile(program, args, { cwd: root, encoding: "utf8", env }, (error, stdout, stderr) =>
            done({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
        );
    });
}

function runWith(environment: NodeJS.ProcessEnv, verb: string, ...args: string[]): Promise<Outcome> {
    const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], ...environment };
    return outcome(join(root, "hack", verb), args, env);
}

/** Calls a verb in this process, like hack/main.ts. */
function call(name: string, ...args: string[]): Promise<number> {
    const { verb }: { verb: Verb } = require(`../../../hack/verbs/${name}`);
    return verb(name, args);
}

afterEach(() => jest.restoreAllMocks());

const run = (verb: string, ...args: string[]) => runWith({}, verb, ...args);

test.each(verbs)("hack/%s has help, and rejects an unknown option", async (name) => {
    const printed: string[] = [];
    jest.spyOn(console, "log").mockImplementation((text: string) => printed.push(text));
    const exit = jest.spyOn(process, "exit").mockImplementation();

    expect(realpathSync(join(root, "hack", name))).toBe(join(root, "hack/run"));
    await call(name, "--help");

    expect(exit.mock.calls).toEqual([[0]]);
    expect(printed.join("\n")).toContain(`hack/${name}`);
    expect(printed.join("\n")).toContain("Exit codes: 0 done");

    await expect(call(name, "navidrome", "--stakc=sandbox")).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining(`Try 'hack/${name} --help'`),
    });
});

test.concurrent("a started verb reports its actions and unknown arguments, and exits", async () => {
    const help = await run("status", "--help");

    expect(help).toMatchObject({ status: 0, stderr: "" });
    expect(help.stdout).toContain("hack/status");

    const misspelt = await run("status", "--stakc=sandbox");

    expect(misspelt.status).toBe(2);
    expect(misspelt.stderr).toMatch(/^hack\/status: /);
    expect(misspelt.stderr).toContain("Try 'hack/status --help'");
    expect(misspelt.stderr).not.toMatch(/\n\s+at /);
});

test.each([
    ["status", ["--stack"], "Not enough arguments following: stack"],
    ["status", ["--json", "--watch"], "Arguments json and watch are mutually exclusive"],
])("hack/%s %j is rejected with a message", async (name, args, message) => {
    await expect(call(name, ...args)).rejects.toMatchObject({
        exitCode: 2,
        message: `${message}\nTry 'hack/${name} --help' for more information.`,
    });
});

test.concurrent.each([{ CI: "true" }, { FORCE_COLOR: "1" }])(
    "output to a file has no color codes, with %j too",
    async (environment) => {
        const { status, stdout } = await runWith(environment, "doctor", "--stack=nothing-such");

        expect(status).toBe(3);
        expect(stdout).toMatch(/^bad +stack/m);
    },
);

test.each(["abc", "5", "0m", "-1m"])("hack/install rejects --timeout=%s before it does anything", async (text) => {
    await expect(call("install", "navidrome", "--stack=nothing-such", `--timeout=${text}`)).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining(
            `invalid --timeout: got ${JSON.stringify(text)}, expected a whole number of seconds, minutes or hours`,
        ),
    });
});

test.concurrent("hack/run lists the verbs", async () => {
    const { status, stderr } = await run("run");

    expect(status).toBe(2);
    for (const verb of verbs) {
        expect(stderr).toContain(`hack/${verb}`);
    }
});

const completion = run("completion", "bash");

test.concurrent.each([
    ["hack/template navi", ["navidrome"]],
    ["hack/template navidrome --d", ["--diff"]],
    ["hack/template navidrome --diff ''", ["cluster", "main"]],
    ["hack/template navidrome ''", [""]],
    ["hack/install sys", ["system"]],
    ["hack/secrets r", ["rotate"]],
    ["./hack/status --j", ["--json"]],
    ["./hack/status --stack sand", ["sandbox"]],
    [`${root}/hack/uninstall --yes navi`, ["navidrome"]],
])("the shell completes `%s`", async (line, expected) => {
    const words = line.split(" ");
    const script = [
        'eval "$COMPLETION"',
        `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}`,
        "_hearth_hack",
        `printf '%s\\n' "\${COMPREPLY[@]}"`,
        `complete -p ${words[0]}`,
    ].join("\n");
    // In zsh's form.
    const env = { ...process.env, SHELL: "/bin/zsh", COMPLETION: (await completion).stdout };
    const { stdout } = await outcome("bash", ["-c", script], env);

    expect(stdout.trimEnd().split("\n")).toEqual([...expected, `complete -o default -F _hearth_hack ${words[0]}`]);
});

test.each([
    [["nothing-such", "--stack=sandbox"], "unknown Application"],
    [["navidrom", "--stack=sandbox"], 'did you mean "navidrome"?'],
    [["navidrome", "--stack=elsewhere"], "Pulumi.elsewhere.yaml does not exist; stacks here: "],
])("hack/template %j is rejected with a message", async (args, expected) => {
    await expect(call("template", ...args)).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining(expected),
    });
});

test.concurrent("text is shown on a terminal without a pager too", async () => {
    const command = `node --require tsx/cjs -e 'require("./hack/pager").page("all of it\\n")'`;
    const env = { ...process.env, PAGER: "no-such-pager" };
    const { stdout } = await outcome("script", ["--quiet", "--return", "--command", command, "/dev/null"], env);

    expect(stdout).toContain("all of it");
});
