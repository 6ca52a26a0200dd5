import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forcedBackAnnotation, isForcedBack, lastForcedBack } from "../../../components/forced-back";
import { git, headCommit } from "../../../components/git";
import { declare } from "../../../components/gitea/declare";

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
        await expect(headCommit(folder)).rejects.toThrow(/no Git repository.*clone the repository/);
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

    test("a command that takes too long is reported with its limit (B48)", async () => {
        mkdirSync(join(folder, "bin"));
        writeFileSync(join(folder, "bin/git"), "#!/bin/sh\nexec tail -f /dev/null\n");
        chmodSync(join(folder, "bin/git"), 0o755);
        const { PATH } = process.env;
        process.env["PATH"] = `${join(folder, "bin")}:${PATH}`;
        try {
            await expect(git(["push"], undefined, { limit: 0.2 })).rejects.toThrow("git push did not end within 0.2 s");
        } finally {
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
        ["put back to the commit that the last run waited for", application(revisions.a, revisions.b), true],
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
        answers = { "/user": {} };
        server = createServer(({ method, url = "" }, response) => {
            const path = url.replace("/api/v1", "");
            if (method !== "GET") {
                changes.push(`${method} ${path}`);
            }
            const answer = answers[path];
            response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? {}));
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    });

    afterEach(() => server.close());

    const declared = () =>
        declare({
            server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
            repository: { owner: "anna", name: "hearth", branch: "main" },
            administrator: { name: "hearth", password: "x" },
            reader: { name: "argocd", password: "x" },
            webhook: { url: "http://argocd/api/webhook", secret: "x" },
            contains: "clusters/home/kustomization.yaml",
            seed: "refs/hearth/seed/x",
            limit: 5,
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
});
