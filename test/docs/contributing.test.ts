import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { run } from "../../lib/run";

const root = resolve(__dirname, "../..");
let checkout: string;

const git = (directory: string, ...args: string[]) =>
    execFileSync("git", ["-C", directory, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
        encoding: "utf8",
    });

beforeAll(() => {
    checkout = mkdtempSync(join(tmpdir(), "hearth-contributing-"));
    const listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        .split("\0")
        .filter(Boolean);
    for (const file of listed) {
        mkdirSync(dirname(join(checkout, file)), { recursive: true });
        cpSync(join(root, file), join(checkout, file), { verbatimSymlinks: true, recursive: true });
    }
    git(checkout, "init", "--quiet");
    git(checkout, "add", "--all");
    git(checkout, "commit", "--quiet", "--message", "a clone");
    symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
});

afterAll(() => rmSync(checkout, { recursive: true, force: true }));

test("following CONTRIBUTING.md adds a service, and nothing under test/ has to be regenerated", async () => {
    const page = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
    const [, section = ""] = /## Add a service\n\n```sh\n([\s\S]*?)```/.exec(page) ?? [];
    const lines = section.trim().split("\n");
    expect(lines).toEqual([expect.stringMatching(/^hack\/new-app /), "npm run test:charts"]);

    // The suite's setup has built the tools already.
    const env = { ...process.env, npm_config_ignore_scripts: "true" };
    for (const line of lines) {
        const { exitCode, output } = await run("sh", ["-c", line], { cwd: checkout, env });
        expect({ line, exitCode, output }).toEqual({ line, exitCode: 0, output });
    }

    const name = /new-app (\S+)/.exec(section)?.[1] ?? "";
    const changed = git(checkout, "status", "--short", "--untracked-files=normal").trim().split("\n");
    expect(changed.map((line) => line.trim().replace(/^\S+ +/, "")).sort()).toEqual([
        `charts/${name}/`,
        `clusters/home/apps/${name}.yaml`,
        "clusters/home/kustomization.yaml",
        "node_modules",
    ]);
}, 900_000);
