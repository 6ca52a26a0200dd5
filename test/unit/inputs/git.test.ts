import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forcedBackAnnotation, isForcedBack, lastForcedBack } from "../../../components/forced-back";
import { git, headCommit, uncommitted } from "../../../components/git";
import { declare } from "../../../components/gitea/declare";
import { mergeBase, unifiedDiff } from "../../../hack/preview/differences";

let folder: string;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-git-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

const inFolder = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.com", ...args], {
        cwd: folder,
        encoding: "utf8",
    });

describe("kind 6: real-world Git setups", () => {
    test("an unpacked archive, and a repository without a commit, are reported as such (B43)", async () => {
        await expect(headCommit(folder)).rejects.toThrow(/not a Git repository.*clone the repository/);
        inFolder("init", "--quiet");
        await expect(headCommit(folder)).rejects.toThrow(/no commit yet: git add/);
        inFolder("commit", "--quiet", "--allow-empty", "--message", "x");
        await expect(headCommit(folder)).resolves.toMatch(/^[0-9a-f]{40}$/);
    });

    test("another user's checkout is reported with the command that allows it (B43)", async () => {
        inFolder("init", "--quiet");
        process.env["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1";
        try {
            await expect(headCommit(folder)).rejects.toThrow(/another user.*safe\.directory/);
        } finally {
            delete process.env["GIT_TEST_ASSUME_DIFFERENT_OWNER"];
        }
    });

    test("a worktree and a detached head have a commit", async () => {
        inFolder("init", "--quiet");
        inFolder("commit", "--quiet", "--allow-empty", "--message", "x");
        inFolder("worktree", "add", "--quiet", "--detach", "tree");
        await expect(headCommit(join(folder, "tree"))).resolves.toBe(await headCommit(folder));
    });

    test("a folder of another repository, which Argo CD would read at its top, is refused", async () => {
        inFolder("init", "--quiet");
        inFolder("commit", "--quiet", "--allow-empty", "--message", "dotfiles");
        mkdirSync(join(folder, "hearth"));
        await expect(headCommit(join(folder, "hearth"))).rejects.toThrow(
            /this folder is hearth\/ of another Git repository.*clone this one by itself/,
        );
    });

    test("a worktree whose repository was moved is not reported as an unpacked archive", async () => {
        inFolder("init", "--quiet");
        inFolder("commit", "--quiet", "--allow-empty", "--message", "x");
        inFolder("worktree", "add", "--quiet", "--detach", "tree");
        renameSync(join(folder, ".git"), join(folder, "moved"));
        await expect(headCommit(join(folder, "tree"))).rejects.toThrow(/a worktree of a repository that was moved/);
    });

    test("a damaged repository is not reported as one without a commit", async () => {
        inFolder("init", "--quiet", "--initial-branch=main");
        inFolder("commit", "--quiet", "--allow-empty", "--message", "x");
        writeFileSync(join(folder, ".git/refs/heads/main"), "");
        await expect(headCommit(folder)).rejects.toThrow(/this repository is damaged \(git fsck\): clone it again/);
        writeFileSync(join(folder, ".git/refs/heads/main"), `${"1".repeat(40)}\n`);
        await expect(headCommit(folder)).rejects.toThrow(/this repository is damaged/);
    });

    test("a repository with SHA-256 names is rejected, since Gitea and Argo CD do not support it", async () => {
        inFolder("init", "--quiet", "--object-format=sha256");
        inFolder("commit", "--quiet", "--allow-empty", "--message", "x");
        await expect(headCommit(folder)).rejects.toThrow(/SHA-256 object names/);
    });

    test("charts that are not committed are listed: new, changed and staged", async () => {
        inFolder("init", "--quiet");
        mkdirSync(join(folder, "charts/a b"), { recursive: true });
        writeFileSync(join(folder, "charts/a b/values.yaml"), "a: 1\n");
        writeFileSync(join(folder, "charts/c.yaml"), "a: 1\n");
        inFolder("add", "--all");
        inFolder("commit", "--quiet", "--message", "x");
        await expect(uncommitted(folder)).resolves.toEqual([]);
        writeFileSync(join(folder, "charts/a b/values.yaml"), "a: 2\n");
        writeFileSync(join(folder, "charts/new.yaml"), "");
        writeFileSync(join(folder, "elsewhere"), "");
        inFolder("rm", "--quiet", "--cached", "charts/c.yaml");
        expect([...new Set(await uncommitted(folder))].sort()).toEqual([
            "charts/a b/values.yaml",
            "charts/c.yaml",
            "charts/new.yaml",
        ]);
    });

    /** Common settings and variables of Git. */
    const habits: readonly (readonly [what: string, env: NodeJS.ProcessEnv, config: string])[] = [
        ["a hook that calls this program", { GIT_DIR: "/nowhere", GIT_INDEX_FILE: "/nowhere/index" }, ""],
        ["a difference tool", { GIT_EXTERNAL_DIFF: "false" }, '[diff]\nexternal = "false"\nnoprefix = true\n'],
        ["colors everywhere", {}, "[color]\nui = always\n[log]\nshowSignature = true\n"],
        [
            "signed pushes, and hooks for all repositories",
            {},
            "[push]\ngpgSign = true\nfollowTags = true\n[core]\nhooksPath = hooks\n",
        ],
        ["German messages", { LANG: "de_DE.UTF-8", LC_ALL: "de_DE.UTF-8", LANGUAGE: "de" }, ""],
    ];

    test.each(habits)("%s does not affect reads and pushes", async (_, env, config) => {
        const work = join(folder, "work");
        const to = join(folder, "to.git");
        inFolder("init", "--quiet", "--bare", to);
        inFolder("init", "--quiet", work);
        const commit = (message: string) =>
            inFolder("-C", work, "commit", "--quiet", "--allow-empty", "--message", message);
        commit("x");
        const first = inFolder("-C", work, "rev-parse", "HEAD").trim();
        commit("y");
        mkdirSync(join(work, "hooks"));
        writeFileSync(join(work, "hooks/pre-push"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
        writeFileSync(join(folder, "gitconfig"), config);
        for (const [name, text] of [
            ["a", "1\n"],
            ["b", "2\n"],
        ] as const) {
            writeFileSync(join(folder, name), text);
        }
        const before = process.env;
        process.env = { ...before, ...env, GIT_CONFIG_GLOBAL: join(folder, "gitconfig") };
        try {
            const head = await headCommit(work);
            expect(head).toMatch(/^[0-9a-f]{40}$/);
            await git(["push", "--quiet", to, "HEAD:refs/heads/main"], undefined, { cwd: work });
            await expect(git(["ls-remote", to, "refs/heads/main"])).resolves.toBe(`${head}\trefs/heads/main`);
            await expect(mergeBase(work, first, head)).resolves.toBe(first);
            await expect(unifiedDiff(folder, "a", "b")).resolves.toBe("@@ -1 +1 @@\n-1\n+2\n");
            await expect(headCommit(folder)).rejects.toThrow(/not a Git repository/);
        } finally {
            process.env = before;
        }
    });

    test("scripts and charts keep Unix line endings if Git is set to convert them", () => {
        for (const path of ["provision/scripts/k3s.sh", "charts/common/values.yaml"]) {
            expect(execFileSync("git", ["check-attr", "eol", "--", path], { encoding: "utf8" })).toBe(
                `${path}: eol: lf\n`,
            );
        }
    });

    test("Git prompts for no name or password, neither by an editor's dialog nor by ssh", async () => {
        inFolder("init", "--quiet");
        for (const name of ["askpass", "ssh"]) {
            writeFileSync(join(folder, name), '#!/bin/sh\necho "$0 $*" >> "$(dirname "$0")/asked"\nexit 1\n', {
                mode: 0o755,
            });
        }
        const server = createServer((_, response) => {
            response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        const before = process.env;
        const [GIT_ASKPASS, SSH_ASKPASS] = [join(folder, "askpass"), join(folder, "askpass")];
        process.env = { ...before, GIT_ASKPASS, SSH_ASKPASS, PATH: `${folder}:${before["PATH"]}` };
        try {
            const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`;
            await expect(git(["ls-remote", url], undefined, { cwd: folder })).rejects.toThrow(
                /could not read Username/,
            );
            await expect(git(["ls-remote", "git@127.0.0.1:x.git"], undefined, { cwd: folder })).rejects.toThrow();
            expect(readFileSync(join(folder, "asked"), "utf8")).toMatch(/^\S+\/ssh -o BatchMode=yes .*\n$/);
        } finally {
            process.env = before;
            server.close();
        }
    });

    test("a shallow clone, as in CI, is reported as the reason for a missing commit", async () => {
        inFolder("init", "--quiet", "from");
        for (const message of ["x", "y"]) {
            inFolder("-C", "from", "commit", "--quiet", "--allow-empty", "--message", message);
        }
        inFolder("clone", "--quiet", "--depth=1", `file://${join(folder, "from")}`, "to");
        inFolder("-C", "to", "checkout", "--quiet", "--orphan", "other");
        inFolder("-C", "to", "commit", "--quiet", "--allow-empty", "--message", "z");
        await expect(mergeBase(join(folder, "to"), "origin/HEAD", "HEAD")).rejects.toThrow(
            /this clone is shallow.*fetch-depth: 0/,
        );
    });

    test("a command that takes too long is reported with its limit, even if its child keeps running (B48)", async () => {
        mkdirSync(join(folder, "bin"));
        writeFileSync(join(folder, "bin/git"), "#!/bin/sh\ntail -f /dev/null &\necho $! > pid\nwait\n");
        chmodSync(join(folder, "bin/git"), 0o755);
        const { PATH } = process.env;
        process.env["PATH"] = `${join(folder, "bin")}:${PATH}`;
        try {
            await expect(git(["push"], undefined, { limit: 0.5, cwd: folder })).rejects.toThrow(
                "git push did not end within 0.5 s",
            );
        } finally {
            process.kill(Number(readFileSync(join(folder, "pid"), "utf8")));
            process.env["PATH"] = PATH;
        }
    });

    test("loopback is reached without a proxy (B49)", async () => {
        inFolder("init", "--quiet");
        process.env["http_proxy"] = "http://127.0.0.1:9";
        try {
            await expect(git(["ls-remote", "http://127.0.0.1:1/x.git"])).rejects.toThrow(/port 1\b/);
        } finally {
            delete process.env["http_proxy"];
        }
    });

    const revisions = { a: "a".repeat(40), b: "b".repeat(40) };
    const application = (waitedFor: string, seen?: string) => ({
        metadata: { annotations: { "pulumi.com/waitFor": `["jsonpath={.status.sync.revisions[0]}=${waitedFor}"]` } },
        ...(seen !== undefined && { status: { sync: { revisions: [seen] } } }),
    });
    test.each([
        ["reset to the commit that the last run waited for", application(revisions.a, revisions.b), true],
        ["where the last run left it", application(revisions.a, revisions.a), false],
        ["that gets a new commit, which is a new wait anyway", application(revisions.b, revisions.b), false],
        ["that Argo CD has not compared yet", application(revisions.a), false],
    ])("an Application %s", (_, found, expected) => {
        expect(isForcedBack(found, revisions.a)).toBe(expected);
    });

    test("the run after a forced push back reads the recorded time, and changes nothing", () => {
        const [early, late] = [new Date("2026-11-01T00:00:00Z"), new Date("2026-11-30T00:00:00Z")];
        const [put, there] = [application(revisions.a, revisions.b), application(revisions.a, revisions.a)];
        const noted = (time: Date) => ({
            ...there,
            metadata: { annotations: { ...there.metadata.annotations, [forcedBackAnnotation]: time.toISOString() } },
        });

        expect(lastForcedBack([there], revisions.a, late)).toBeUndefined();
        expect(lastForcedBack([noted(early), put], revisions.a, late)).toBe(late.toISOString());
        expect(lastForcedBack([noted(late), there, noted(early)], revisions.a, new Date())).toBe(late.toISOString());
    });
});

describe("kind 6: a Gitea with other owners", () => {
    let server: Server;
    let changes: string[];
    let answers: Record<string, unknown>;

    beforeEach(async () => {
        changes = [];
        answers = { "/user": { login: "hearth", is_admin: true } };
        server = createServer(({ method, url = "" }, response) => {
            const path = url.replace("/api/v1", "");
            if (method !== "GET") {
                changes.push(`${method} ${path}`);
            }
            const answer = answers[path];
            const {
                status = answer === undefined ? 404 : 200,
                headers = {},
                body = JSON.stringify(answer ?? {}),
            } = Object(answer);
            response.writeHead(status, headers).end(body);
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    });

    afterEach(() => server.close());

    const declared = (more: { updater?: string } = {}) =>
        declare({
            server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
            repository: { owner: "anna", name: "hearth", branch: "main" },
            administrator: { name: "hearth", password: "x" },
            reader: { name: "argocd", password: "x" },
            webhook: { url: "http://argocd/api/webhook", secret: "x" },
            contains: "clusters/home/kustomization.yaml",
            seed: "refs/hearth/seed/x",
            limit: 5,
            ...more,
        });

    test.each([
        ["with the branch", { "/repos/anna/hearth/branches/main": {} }],
        ["with another branch", {}],
    ])("a foreign repository %s is not made private, nor pushed to (B50)", async (_, more) => {
        Object.assign(answers, { "/repos/anna/hearth": { empty: false, default_branch: "main" }, ...more });
        await expect(declared()).rejects.toThrow(/not this home's repository/);
        expect(changes).toEqual([]);
    });

    test("an owner that is a user is rejected before any change (B45)", async () => {
        answers["/users/anna"] = {};
        await expect(declared()).rejects.toThrow(/anna is a user, and users have no teams/);
        expect(changes).toEqual([]);
    });

    test.each<[string, string, object, RegExp]>([
        [
            "a redirect to https",
            "/user",
            { status: 308, headers: { location: "https://x" } },
            /redirects requests: set hearth:repository\.url/,
        ],
        ["a login page", "/user", { body: "<html>Sign in</html>" }, /answers, but is not a Gitea/],
        [
            "an account that is not an administrator",
            "/user",
            { login: "hearth", is_admin: false },
            /hearth of Gitea .* is not an administrator/,
        ],
        [
            "a password that has to be changed",
            "/user",
            { status: 403, body: '{"message": "You must change your password."}' },
            /rejects the login of the account hearth \(You must change your password\.\)/,
        ],
        [
            "a mirror",
            "/repos/anna/hearth",
            { empty: false, mirror: true },
            /is a mirror, and rejects pushes: convert it/,
        ],
        [
            "an archived repository",
            "/repos/anna/hearth",
            { empty: true, archived: true },
            /is archived, and rejects pushes: unarchive it/,
        ],
    ])("%s is reported at once, before any change", async (_, path, answer, message) => {
        answers[path] = answer;
        await expect(declared()).rejects.toThrow(message);
        expect(changes).toEqual([]);
    });

    test("an account of another person with the reader's name keeps its password", async () => {
        answers["/users/argocd"] = { email: "argocd@example.com" };
        await expect(declared()).rejects.toThrow(
            /argocd of Gitea at .* belongs to somebody \(argocd@example\.com\).*rename it/,
        );
        expect(changes).toEqual([]);
    });

    test("an account of another person with the name of the updates' account keeps its password", async () => {
        answers["/users/hearth-updates"] = { email: "updates@example.com" };
        await expect(declared({ updater: "of-the-updates-12" })).rejects.toThrow(
            /hearth-updates of Gitea at .* belongs to somebody \(updates@example\.com\).*rename it/,
        );
        expect(changes).toEqual([]);
    });
});
