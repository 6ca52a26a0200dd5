import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../../..");
const verbs = readdirSync(join(root, "hack/verbs")).map((file) => file.replace(/\.ts$/, ""));

function runWith(environment: NodeJS.ProcessEnv, verb: string, ...args: string[]) {
    const { status, stdout, stderr } = spawnSync(join(root, "hack", verb), args, {
        encoding: "utf8",
        env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...environment },
    });
    return { status, stdout, stderr };
}

const run = (verb: string, ...args: string[]) => runWith({}, verb, ...args);

test.each(verbs)("hack/%s explains itself, and refuses an option that it does not know", (verb) => {
    const help = run(verb, "--help");

    expect(help).toMatchObject({ status: 0, stderr: "" });
    expect(help.stdout).toContain(`hack/${verb}`);
    expect(help.stdout).toContain("Exit codes: 0 done");

    const misspelt = run(verb, "navidrome", "--stakc=sandbox");

    expect(misspelt.status).toBe(2);
    expect(misspelt.stderr).toContain(`hack/${verb}: `);
    expect(misspelt.stderr).toContain(`See hack/${verb} --help`);
    expect(misspelt.stderr).not.toMatch(/\n\s+at /);
});

test.each([{ CI: "true" }, { FORCE_COLOR: "1" }])(
    "what goes into a file has no color codes in it, with %j too",
    (environment) => {
        const { status, stdout } = runWith(environment, "doctor", "--stack=nothing-such");

        expect(status).toBe(3);
        expect(stdout).toMatch(/^bad +stack/m);
    },
);

test("hack/run lists the verbs", () => {
    const { status, stderr } = run("run");

    expect(status).toBe(2);
    for (const verb of verbs) {
        expect(stderr).toContain(`hack/${verb}`);
    }
});

test.each([
    ["hack/template navi", ["navidrome"]],
    ["hack/install sys", ["system"]],
    ["hack/template --d", ["--diff"]],
    ["./hack/status --j", ["--json"]],
])("the shell completes `%s`", (line, expected) => {
    const words = line.split(" ");
    const script = [
        'eval "$(hack/completion bash)"',
        `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}`,
        "_hearth_hack",
        `printf '%s\\n' "\${COMPREPLY[@]}"`,
    ].join("\n");
    const { stdout } = spawnSync("bash", ["-c", script], { cwd: root, encoding: "utf8" });

    expect(stdout.trim().split("\n")).toEqual(expected);
});

test.each([
    [["nothing-such", "--stack=sandbox"], "there is no Application"],
    [["navidrom", "--stack=sandbox"], 'did you mean "navidrome"?'],
    [["navidrome", "--stack=elsewhere"], "Pulumi.elsewhere.yaml is not there; stacks here: "],
])("hack/template %j is refused in words", (args, expected) => {
    const { status, stderr } = run("template", ...args);

    expect(status).toBe(2);
    expect(stderr).toContain(expected);
});
