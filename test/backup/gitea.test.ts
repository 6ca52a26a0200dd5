import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Gitea } from "../../components/gitea/api";
import { freePort } from "../../lib/ports";
import { run } from "../../lib/run";
import { startGitea } from "../../sandbox/gitea";
import type { Closeable } from "../../sandbox/http-server";
import { sandboxPaths } from "../../sandbox/paths";
import { RestServer } from "./servers";
import { targetFolder, Volume } from "./volume";

// Gitea starts twice, and restic derives a key in each call, on a machine that may be busy.
jest.setTimeout(5 * 60_000);

const administrator = { name: "hearth", password: "of-the-administrator" };
const person = { name: "ada", password: "of-a-person-12" };
const directory = mkdtempSync(join(tmpdir(), "hearth-gitea-backup-"));
const server = new RestServer();
let volume: Volume;
let port: number;
let gitea: Closeable;

/** Starts Gitea on the volume. */
async function start(): Promise<void> {
    const paths = { ...sandboxPaths(directory), gitea: volume.files };
    mkdirSync(paths.logs, { recursive: true });
    const account = { administrator: administrator.name, password: administrator.password };
    gitea = await startGitea(paths, port, account, () => undefined);
}

beforeAll(async () => {
    await server.start();
    volume = new Volume(targetFolder(server.backup()));
    port = await freePort();
    await start();
});

afterAll(async () => {
    await gitea?.close();
    await server.remove();
    volume?.remove();
    rmSync(directory, { recursive: true, force: true });
});

const as = (account: typeof person) => new Gitea(`http://127.0.0.1:${port}`, account);

/** Runs Git with a person's password. */
async function git(folder: string, ...args: string[]): Promise<string> {
    const options = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-C", folder];
    const { exitCode, output } = await run("git", [...options, ...args]);
    expect([exitCode, output]).toEqual([0, output]);
    return output.trim();
}

const repository = () => `http://${person.name}:${person.password}@127.0.0.1:${port}/home/hearth.git`;

const packageAt = () => `http://127.0.0.1:${port}/api/packages/home/generic/tool/1.0/tool.bin`;
const authorization = `Basic ${Buffer.from(`${administrator.name}:${administrator.password}`).toString("base64")}`;

test("Gitea has issues, accounts, packages and commits back after the loss of its volume, copied while people used it", async () => {
    const api = as(administrator);
    await api.change("POST", "/orgs", { username: "home", visibility: "private" });
    await api.change("POST", "/orgs/home/repos", { name: "hearth", auto_init: true, default_branch: "main" });
    await api.change("POST", "/admin/users", {
        ...{ username: person.name, email: "ada@example.com", password: person.password },
        must_change_password: false,
    });
    await api.change("PUT", `/repos/home/hearth/collaborators/${person.name}`, { permission: "write" });
    const content = randomBytes(3_000_000);
    const uploaded = await fetch(packageAt(), { method: "PUT", headers: { authorization }, body: content });
    expect(uploaded.status).toBe(201);
    const clone = join(directory, "clone");
    await git(directory, "clone", "--quiet", repository(), clone);
    writeFileSync(join(clone, "notes.md"), "milk");
    await git(clone, "add", "--all");
    await git(clone, "commit", "--quiet", "--message=feat: a list");
    await git(clone, "push", "--quiet");
    const head = await git(clone, "rev-parse", "HEAD");

    let number = 0;
    let isCopying = true;
    const open = async (title: string) =>
        as(person).change("POST", "/repos/home/hearth/issues", { title, body: title });
    await open("the first");
    const people = (async () => {
        while (isCopying) {
            number++;
            await open(`while it is copied, ${number}`);
        }
    })();
    await volume.run("repository");
    expect((await volume.backup()).result).toMatchObject({ ok: true });
    isCopying = false;
    await people;
    await open("after the copy");
    await gitea.close();

    rmSync(volume.files, { recursive: true });
    mkdirSync(volume.files);
    expect((await volume.run("prepare")).result?.message).toContain("restored from the copy");
    await start();

    const issues =
        (await as(person).find<{ number: number; title: string }[]>("/repos/home/hearth/issues?limit=50")) ?? [];
    const kept = issues.sort((one, other) => one.number - other.number).map(({ title }) => title);
    expect(kept[0]).toBe("the first");
    expect(kept).not.toContain("after the copy");
    // Without a gap: the copy ends at a commit of the database.
    const [second = "", ...others] = kept.slice(1).map((title) => Number(title.replace("while it is copied, ", "")));
    expect(others).toEqual(others.map((_, index) => Number(second) + index + 1));
    const downloaded = await fetch(packageAt(), { headers: { authorization } });
    const sum = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
    expect(sum(Buffer.from(await downloaded.arrayBuffer()))).toBe(sum(content));
    const again = join(directory, "again");
    await git(directory, "clone", "--quiet", repository(), again);
    expect(await git(again, "rev-parse", "HEAD")).toBe(head);
    // It works on: a push runs hooks that are in the volume.
    writeFileSync(join(again, "notes.md"), "bread");
    await git(again, "commit", "--quiet", "--all", "--message=feat: another");
    await git(again, "push", "--quiet");
});
