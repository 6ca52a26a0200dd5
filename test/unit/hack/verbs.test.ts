import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../../..");
const verbs = readdirSync(join(root, "hack/verbs")).map((file) => file.replace(/\.ts$/, ""));

interface Outcome {
    readonly status: number;
    readonly stdout: string;
    readonly stderr: string;
}

/** Programs are started here many times over: side by side, as far as Jest lets tests run so. */
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

const run = (verb: string, ...args: string[]) => runWith({}, verb, ...args);

test.concurrent.each(verbs)("hack/%s explains itself, and refuses an option that it does not know", async (verb) => {
    const help = await run(verb, "--help");

    expect(help).toMatchObject({ status: 0, stderr: "" });
    expect(help.stdout).toContain(`hack/${verb}`);
    expect(help.stdout).toContain("Exit codes: 0 done");

    const misspelt = await run(verb, "navidrome", "--stakc=sandbox");

    expect(misspelt.status).toBe(2);
    expect(misspelt.stderr).toContain(`hack/${verb}: `);
    expect(misspelt.stderr).toContain(`See hack/${verb} --help`);
    expect(misspelt.stderr).not.toMatch(/\n\s+at /);
});

test.concurrent.each([{ CI: "true" }, { FORCE_COLOR: "1" }])(
    "what goes into a file has no color codes in it, with %j too",
    async (environment) => {
        const { status, stdout } = await runWith(environment, "doctor", "--stack=nothing-such");

        expect(status).toBe(3);
        expect(stdout).toMatch(/^bad +stack/m);
    },
);

test.concurrent.each(["abc", "5", "0m", "-1m"])(
    "hack/install refuses --timeout=%s before it looks at anything",
    async (text) => {
        const { status, stderr } = await run("install", "navidrome", "--stack=nothing-such", `--timeout=${text}`);

        expect(status).toBe(2);
        expect(stderr).toContain(`--timeout=${text}: accepted: a whole number of seconds, minutes or hours`);
    },
);

test.concurrent("hack/run lists the verbs", async () => {
    const { status, stderr } = await run("run");

    expect(status).toBe(2);
    for (const verb of verbs) {
        expect(stderr).toContain(`hack/${verb}`);
    }
});

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
        'eval "$(hack/completion bash)"',
        `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}`,
        "_hearth_hack",
        `printf '%s\\n' "\${COMPREPLY[@]}"`,
        `complete -p ${words[0]}`,
    ].join("\n");
    // As zsh has it.
    const { stdout } = await outcome("bash", ["-c", script], { ...process.env, SHELL: "/bin/zsh" });

    expect(stdout.trimEnd().split("\n")).toEqual([...expected, `complete -o default -F _hearth_hack ${words[0]}`]);
});

test.concurrent.each([
    [["nothing-such", "--stack=sandbox"], "there is no Application"],
    [["navidrom", "--stack=sandbox"], 'did you mean "navidrome"?'],
    [["navidrome", "--stack=elsewhere"], "Pulumi.elsewhere.yaml is not there; stacks here: "],
])("hack/template %j is refused in words", async (args, expected) => {
    const { status, stderr } = await run("template", ...args);

    expect(status).toBe(2);
    expect(stderr).toContain(expected);
});

test.concurrent("a text is shown at a terminal that has no pager too", async () => {
    const command = `node --require tsx/cjs -e 'require("./hack/pager").page("all of it\\n")'`;
    const env = { ...process.env, PAGER: "no-such-pager" };
    const { stdout } = await outcome("script", ["--quiet", "--return", "--command", command, "/dev/null"], env);

    expect(stdout).toContain("all of it");
});
