import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Account, git } from "../../components/git";
import { declare } from "../../components/gitea/declare";
import { type GiteaAccess, Home, isReady, until } from "./home";

/** Two cores and a fresh cluster: minutes, in milliseconds. */
const limit = 10 * 60_000;

/** How long Argo CD may take for a change that it was told of, in milliseconds. */
const soon = 100_000;

let home: Home;
let gitea: GiteaAccess;

/** The repository's URL with an account in it, as a person would have it. */
function urlFor({ name, password }: Account): string {
    const url = new URL(gitea.url);
    url.username = name;
    url.password = encodeURIComponent(password);
    return url.href;
}

/** What a Secret in Argo CD's namespace holds under a key. */
async function secret(name: string, key: string): Promise<string> {
    const { data } = await home.get<{ data: Record<string, string> }>("secret", name, "--namespace=argocd");
    return Buffer.from(data[key] ?? "", "base64").toString();
}

const reader = async () => ({
    name: await secret("home-repository", "username"),
    password: await secret("home-repository", "password"),
});

/** The commit that main is on in Gitea. */
const main = async () => (await git(["ls-remote", gitea.url, "refs/heads/main"], gitea.account)).split("\t")[0];

const serverLog = () => readFileSync(join(home.root, ".sandbox/logs/argocd-server.log"), "utf8");
const received = () => serverLog().split("Received push event").length - 1;

const navidromeIsOn = async (revision: string) => {
    const navidrome = (await home.applications()).get("navidrome");
    return navidrome !== undefined && isReady(navidrome, revision);
};

/** Changes the chart of navidrome, and commits it. */
async function change(memory: string): Promise<string> {
    home.edit("charts/navidrome/values.yaml", (text) => text.replace(/memory: \d+Mi/, `memory: ${memory}`));
    return home.commit(`navidrome with ${memory}`);
}

/** `npm start`, which has to succeed. */
async function start(): Promise<string> {
    const { code, output } = await home.start();
    if (code !== 0) {
        throw new Error(`npm start ended with ${code}:\n${output}`);
    }
    return output;
}

let first: string;

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "qbittorrent", "navidrome");
    gitea = await home.useGitea();
    first = await home.commit("a small home, on Gitea");
    await start();
}, limit);

afterAll(async () => home.remove(), limit);

test("the first run fills the repository with the checkout's commit, and Argo CD is on it", async () => {
    expect(await main()).toBe(first);
    expect(await navidromeIsOn(first)).toBe(true);
});

test("nobody reads the repository without an account", async () => {
    const { status } = await fetch(`${gitea.url}/info/refs?service=git-upload-pack`);
    expect(status).toBe(401);
});

test("Argo CD's account reads the repository, and cannot push to it", async () => {
    const account = await reader();
    expect(await git(["ls-remote", gitea.url, "refs/heads/main"], account)).toContain(first);
    const { code, output } = await home.pushTo(urlFor(account), "HEAD:refs/heads/other");
    expect(code).not.toBe(0);
    expect(output).toMatch(/403|not authorized|permission/i);
});

test(
    "another run changes nothing",
    async () => {
        expect(await start()).toMatch(/Resources:\s+\d+ unchanged/);
    },
    limit,
);

test(
    "Argo CD is told of a push, and the cluster converges on it",
    async () => {
        const before = received();
        const revision = await change("136Mi");
        expect(await home.pushTo(urlFor(gitea.account), "main")).toMatchObject({ code: 0 });
        await until("Argo CD was told of the push", soon, async () => received() > before);
        await until("navidrome is Synced and Healthy on the commit", soon, () => navidromeIsOn(revision));
    },
    limit,
);

test("a message about a push is refused when its signature is wrong", async () => {
    const payload = JSON.stringify({
        ref: "refs/heads/main",
        commits: [],
        repository: { html_url: gitea.url.replace(/\.git$/, ""), default_branch: "main" },
    });
    const send = (key: string) =>
        fetch(gitea.webhook, {
            method: "POST",
            headers: {
                "content-type": "application/json",
                "x-gogs-event": "push",
                "x-gogs-signature": createHmac("sha256", key).update(payload).digest("hex"),
            },
            body: payload,
        });
    expect([400, 401]).toContain((await send("another secret")).status);
    expect((await send(await secret("git-webhook", "secret"))).status).toBe(200);
});

test("main is not rewritten, by the administrator either", async () => {
    const before = await main();
    const { code, output } = await home.pushTo(urlFor(gitea.account), "--force", `${first}:refs/heads/main`);
    expect(code).not.toBe(0);
    expect(output).toMatch(/protected branch|force push/i);
    expect(await main()).toBe(before);
});

test("a repository of something else is told by what it lacks", async () => {
    const [server, repository] = [gitea.server, { owner: "home", name: "hearth", branch: "main" }];
    const declaration = {
        ...{ server, repository, administrator: gitea.account, reader: await reader(), limit: 30 },
        webhook: { url: gitea.webhook, secret: await secret("git-webhook", "secret") },
        seed: "refs/hearth/seed/test",
    };
    await expect(declare({ ...declaration, contains: "clusters/elsewhere/kustomization.yaml" })).rejects.toThrow(
        /has no clusters\/elsewhere\/kustomization.yaml: it is not this home's repository/,
    );
});

test("an administrator's wrong password is told as that", async () => {
    const wrong = { name: "hearth", password: "wrong" };
    await expect(
        declare({
            ...{ server: gitea.server, administrator: wrong, reader: wrong, limit: 30, contains: "x", seed: "x" },
            repository: { owner: "home", name: "hearth", branch: "main" },
            webhook: { url: gitea.webhook, secret: "x" },
        }),
    ).rejects.toThrow(/does not let the account hearth in.*hearth:gitea/s);
});

test(
    "a Gitea that lost its data is filled again by the next run, and the services go on",
    async () => {
        await home.stop();
        home.removeFolder(".sandbox/gitea");
        await start();
        const head = (await git(["-C", home.root, "rev-parse", "HEAD"])).trim();
        expect(await main()).toBe(head);
        expect(await navidromeIsOn(head)).toBe(true);
    },
    limit,
);
