import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Difference, type ProgramChange, previewComment } from "../../hack/preview/comment";
import { differences } from "../../hack/preview/differences";
import { putComment } from "../../hack/preview/gitea";
import type { StackSettings } from "../../hack/stack";

const settings: StackSettings = {
    cluster: "home",
    domain: "home.example.com",
    repository: { url: "https://git.home.example.com/home/hearth.git", revision: "main" },
    charts: {},
    nfs: { server: "nas.home.example.com", path: "/export" },
};
const charts = ["freshrss", "kavita", "navidrome"];

describe("changes of a pull request", () => {
    let repository: string;

    const git = (...args: string[]) =>
        execFileSync("git", ["-C", repository, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
            encoding: "utf8",
        }).trim();
    const commit = (message: string) => {
        git("add", "--all");
        git("commit", "--quiet", "--message", message);
        return git("rev-parse", "HEAD");
    };
    const edit = (path: string, from: string, to: string) => {
        const text = readFileSync(join(repository, path), "utf8");
        expect(text).toContain(from);
        writeFileSync(join(repository, path), text.replaceAll(from, to));
    };

    beforeAll(() => {
        repository = mkdtempSync(join(tmpdir(), "hearth-preview-test-"));
        for (const path of [
            ...["common", ...charts].map((chart) => `charts/${chart}`),
            ...charts.map((chart) => `clusters/home/apps/${chart}.yaml`),
            "clusters/shared",
        ]) {
            cpSync(path, join(repository, path), { recursive: true, verbatimSymlinks: true });
        }
        const resources = charts.map((chart) => `apps/${chart}.yaml`);
        const kustomization = stringify({ components: ["../shared"], resources });
        writeFileSync(join(repository, "clusters/home/kustomization.yaml"), kustomization);
        writeFileSync(join(repository, "README.md"), "A home.\n");
        git("init", "--quiet", "--initial-branch", "main");
        commit("feat: a home");
    });
    beforeEach(() => {
        git("checkout", "--quiet", "-B", "request", "main");
    });
    afterAll(() => rmSync(repository, { recursive: true, force: true }));

    test("one chart: only its difference, also after main has moved on", async () => {
        edit("charts/navidrome/values.yaml", "/ping", "/health");
        const head = commit("fix(navidrome): another probe");
        git("checkout", "--quiet", "-B", "later", "main");
        edit("charts/kavita/values.yaml", "http: ", "http: 1");
        const base = commit("fix(kavita): meanwhile on main");

        const [only, ...others] = await differences(repository, base, head, settings);

        expect(others).toEqual([]);
        expect(only).toMatchObject({
            name: "navidrome",
            result: { diff: expect.stringMatching(/^-\s+path: \/ping$/m) },
        });
        expect(only).toMatchObject({ result: { diff: expect.stringMatching(/^\+\s+path: \/health$/m) } });
    });

    test("the library: every chart that depends on it", async () => {
        edit("charts/common/templates/lib/_names.tpl", ".root.Release.Service", '"hearth"');
        const found = await differences(repository, "main", commit("feat(common): a label"), settings);

        expect(found.map(({ name }) => name)).toEqual(charts);
        for (const { result } of found) {
            expect(result).toMatchObject({
                diff: expect.stringMatching(/^\+\s+app.kubernetes.io\/managed-by: hearth$/m),
            });
        }
    });

    test("no chart: nothing", async () => {
        edit("README.md", "A home.", "Our home.");

        expect(await differences(repository, "main", commit("docs: whose"), settings)).toEqual([]);
    });

    test("a chart that no longer renders: Helm's message, and all other differences", async () => {
        edit("charts/navidrome/values.yaml", "    image:", "    imagge:");
        edit("charts/kavita/values.yaml", "http: ", "http: 1");
        const [kavita, navidrome] = await differences(repository, "main", commit("fix: two"), settings);

        expect(kavita).toMatchObject({ name: "kavita", result: { diff: expect.stringContaining("+") } });
        expect(navidrome).toMatchObject({ name: "navidrome", result: { failure: expect.stringContaining("imagge") } });
    });

    test("a removed Application: all of its manifests are removed", async () => {
        git("rm", "--quiet", "-r", "charts/kavita", "clusters/home/apps/kavita.yaml");
        edit("clusters/home/kustomization.yaml", "  - apps/kavita.yaml\n", "");
        const found = await differences(repository, "main", commit("feat!: no kavita"), settings);

        expect(found.map(({ name }) => name)).toEqual(["kavita"]);
        expect(found[0]?.result).toMatchObject({
            diff: expect.stringMatching(/^-kind: StatefulSet|^-kind: Deployment/m),
        });
        expect(found[0]?.result).toMatchObject({ diff: expect.not.stringMatching(/^\+/m) });
    });

    test("no page contains a Secret, whichever chart renders it", async () => {
        const secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: leak\nstringData:\n  password: hunter2\n";
        writeFileSync(join(repository, "charts/kavita/templates/leak.yaml"), secret);

        expect(await differences(repository, "main", commit("feat: a leak"), settings)).toEqual([
            { name: "kavita", result: { diff: "" } },
        ]);
    });
});

/** A request that does not affect the program. */
const nothing: ProgramChange = { created: 0, updated: 0, deleted: 0, diff: "" };

describe("the comment", () => {
    test("fits into Gitea's limit, however large the change, and reports what was left out", () => {
        const diff = `@@ -1 +1 @@\n${"+ line\n".repeat(50_000)}`;
        const comment = previewComment(
            charts.map((name) => ({ name, result: { diff } })),
            { created: 0, updated: 9, deleted: 0, diff },
            "0123456789abcdef",
        );

        expect(comment.length).toBeLessThanOrEqual(60_000);
        expect(comment.match(/… \d+ more lines/g)).toHaveLength(4);
    });

    test("Markdown in a manifest cannot break out of its code block", () => {
        const comment = previewComment(
            [{ name: "glance", result: { diff: "+```\n+<img src=x>\n" } }],
            nothing,
            "0123456789",
        );

        expect(comment).toContain("````diff\n+```\n+<img src=x>\n````");
    });

    test("reports that nothing changes", () => {
        const comment = (touched: Difference[]) => previewComment(touched, nothing, "0123456789");

        expect(comment([])).toContain("Touches no chart");
        expect(comment([])).toContain("`pulumi up` does not change.");
        expect(comment([{ name: "glance", result: { diff: "" } }])).toContain("whose manifests do not change");
    });

    test("reports how many resources `pulumi up` would touch, or why it would fail", () => {
        const change = { created: 1, updated: 2, deleted: 0, diff: "random:index/randomPassword:RandomPassword a\n" };

        expect(previewComment([], change, "0123456789")).toContain("1 created, 2 updated, 0 deleted");
        expect(previewComment([], { failure: "1 mistake in the config" }, "0123456789")).toMatch(
            /\*\*pulumi up\*\* would fail:\n\n```\n1 mistake in the config\n```/,
        );
    });
});

describe("at Gitea", () => {
    /** Answers the three relevant requests like Gitea's API. */
    async function withGitea(use: (server: string, comments: Map<number, string>) => Promise<void>): Promise<void> {
        const comments = new Map([[7, "Nice!"]]);
        const server = createServer(async (request, response) => {
            const chunks: Buffer[] = [];
            for await (const chunk of request) {
                chunks.push(chunk as Buffer);
            }
            const { body = "" } = JSON.parse(Buffer.concat(chunks).toString() || "{}") as { body?: string };
            const answer = (status: number, value: unknown) =>
                response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
            const issues = "/api/v1/repos/home/hearth/issues";
            const existing = Number(request.url?.replace(`${issues}/comments/`, ""));
            if (request.headers.authorization !== "token a-token") {
                answer(403, { message: "token does not have at least one of required scope(s)" });
            } else if (request.method === "GET" && request.url === `${issues}/12/comments`) {
                answer(
                    200,
                    [...comments].map(([id, text]) => ({ id, body: text })),
                );
            } else if (request.method === "POST" && request.url === `${issues}/12/comments`) {
                comments.set(comments.size + 7, body);
                answer(201, { id: comments.size + 6, body });
            } else if (request.method === "PATCH" && comments.has(existing)) {
                comments.set(existing, body);
                answer(200, { id: existing, body });
            } else {
                answer(404, { message: "not found" });
            }
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        try {
            await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, comments);
        } finally {
            server.close();
            server.closeAllConnections();
        }
    }
    const request = (server: string) => ({ server, repository: "home/hearth", number: 12, token: "a-token" });

    test("a later commit updates the one comment, and no other", async () => {
        await withGitea(async (server, comments) => {
            const [first, second] = [
                previewComment([], nothing, "1111111111"),
                previewComment([], nothing, "2222222222"),
            ];

            await putComment(request(server), () => first);
            expect([...comments.values()]).toEqual(["Nice!", first]);

            await putComment(request(server), () => second);
            expect([...comments.values()]).toEqual(["Nice!", second]);
        });
    });

    test("a token without permission is reported with Gitea's message", async () => {
        await withGitea(async (server) => {
            await expect(putComment({ ...request(server), token: "another" }, () => "text")).rejects.toThrow(
                /GET http.*: Gitea answered 403: .*required scope/,
            );
        });
    });
});
