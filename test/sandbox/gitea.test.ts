import { readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { revisionOf } from "../../components/application-status";
import { type Account, git } from "../../components/git";
import { Gitea } from "../../components/gitea/api";
import { declare } from "../../components/gitea/declare";
import { sandboxPaths } from "../../sandbox/paths";
import { renderedApplications } from "../../sandbox/repo-server-log";
import { type GiteaAccess, Home, isReady, until } from "./home";
import { startAndCut } from "./killed-run";
import { sendPushMessage } from "./push-message";

/** Milliseconds; a fresh cluster takes minutes on two cores. */
const limit = 10 * 60_000;

/** Milliseconds for Argo CD to deploy a change that it was notified of. */
const soon = 100_000;

let home: Home;
let gitea: GiteaAccess;

/** The repository's URL with an account, like a user's. */
function urlFor({ name, password }: Account): string {
    const url = new URL(gitea.url);
    url.username = name;
    url.password = encodeURIComponent(password);
    return url.href;
}

const reader = async () => ({
    name: await home.secret("home-repository", "username"),
    password: await home.secret("home-repository", "password"),
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
        throw new Error(`npm start exited with ${code}:\n${output}`);
    }
    return output;
}

let first: string;

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "gitops", "qbittorrent", "navidrome");
    const access = await home.useOwnGitea();
    first = await home.commit("a small home with a Gitea of its own");
    // Half done: Gitea exists, but is empty.
    await startAndCut(home, {
        signal: "SIGKILL",
        victim: "its Pulumi",
        when: (printed) => /Command git-source-gitea creating/.test(printed),
    });
    await start();
    const password = await home.secret("gitops-secrets", "gitea-admin-password", "gitops");
    gitea = { ...access, account: { name: "hearth", password } };
}, limit);

afterAll(async () => home.remove(), limit);

test("the next run completes one that was killed right after Gitea's start: the repository has the checkout's commit, and Argo CD follows it", async () => {
    expect(await main()).toBe(first);
    expect(await navidromeIsOn(first)).toBe(true);
});

interface Live {
    readonly kind: string;
    readonly metadata: {
        readonly name: string;
        readonly creationTimestamp: string;
        readonly generation?: number;
        readonly annotations?: Readonly<Record<string, string>>;
    };
}

/** Objects of charts/gitops in the cluster, without fields of other managers. */
async function giteaObjects(): Promise<readonly Live[]> {
    const kinds = [
        ...["statefulsets", "deployments", "services", "configmaps", "persistentvolumeclaims", "networkpolicies"],
        ...["serviceaccounts", "ingresses"],
    ].join(",");
    const selector = "--selector=app.kubernetes.io/part-of=gitops";
    const { items } = await home.get<{ items: Live[] }>(kinds, "--all-namespaces", selector);
    return items.filter(({ metadata }) => metadata.annotations?.["meta.helm.sh/release-name"] === "gitops");
}

/** Number of starts of the program of Gitea's pod. */
const starts = () =>
    readFileSync(join(home.root, ".sandbox/logs/daemon.log"), "utf8").split("gitea: started as process").length - 1;

test("Argo CD adopts the Gitea that existed before any Application: nothing is recreated, changed or restarted", async () => {
    const { items: applications } = await home.get<{ items: Live[] }>("applications.argoproj.io", "--namespace=argocd");
    const began = applications.map(({ metadata }) => metadata.creationTimestamp).sort()[0] ?? "";
    const objects = await giteaObjects();
    expect(new Set(objects.map(({ kind }) => kind)).size).toBe(8);
    const owner = ({ annotations }: Live["metadata"]) => annotations?.["argocd.argoproj.io/tracking-id"]?.split(":")[0];
    expect(objects.filter(({ metadata }) => owner(metadata) !== "gitops")).toEqual([]);
    expect(objects.filter(({ metadata }) => metadata.creationTimestamp >= began)).toEqual([]);
    // A Deployment's generation counts annotations too, of which Argo CD adds one.
    const changed = objects.filter(
        ({ kind, metadata: { generation = 1, annotations } }) =>
            (kind === "Deployment" ? annotations?.["deployment.kubernetes.io/revision"] : `${generation}`) !== "1",
    );
    expect(changed).toEqual([]);
    const { items: pods } = await home.get<{ items: Live[] }>("pods", "--namespace=gitops");
    expect(pods).toHaveLength(3);
    expect(pods.filter(({ metadata }) => metadata.creationTimestamp >= began)).toEqual([]);
    expect(starts()).toBe(1);
});

test("the repository cannot be read without an account", async () => {
    const { status } = await fetch(`${gitea.url}/info/refs?service=git-upload-pack`);
    expect(status).toBe(401);
});

test("Argo CD's account can read the repository, and cannot push to it", async () => {
    const account = await reader();
    expect(await git(["ls-remote", gitea.url, "refs/heads/main"], account)).toContain(first);
    const { code, output } = await home.pushTo(urlFor(account), "HEAD:refs/heads/other");
    expect(code).not.toBe(0);
    expect(output).toMatch(/403|not authorized|permission/i);
});

test("Argo CD's account cannot create anything of its own", async () => {
    const { status } = await new Gitea(gitea.server, await reader()).ask("POST", "/user/repos", { name: "own" });
    expect(status).toBe(403);
});

test(
    "a second run changes nothing",
    async () => {
        const printed = await start();
        expect(printed).toMatch(/Resources:\s+\d+ unchanged/);
        expect(printed).not.toContain("does not reach Argo CD");
    },
    limit,
);

test(
    "a push notifies Argo CD, and the cluster converges on it",
    async () => {
        const before = received();
        const revision = await change("136Mi");
        expect(await home.pushTo(urlFor(gitea.account), "main")).toHaveEndedWith(0);
        await until("Argo CD was notified of the push", soon, async () => received() > before);
        await until("it knew the repository by what Gitea calls it", soon, async () =>
            serverLog().includes("Requested app 'navidrome' refresh"),
        );
        await until("navidrome is Synced and Healthy on the commit", soon, () => navidromeIsOn(revision));
    },
    limit,
);

/** {@link renderedApplications} of the home. */
const rendered = () => renderedApplications(sandboxPaths(home.root));

test(
    "a commit renders only the charts that it touches, also after a poll; a change of the library renders all",
    async () => {
        const all = ["cert-manager", "database", "gitops", "navidrome", "qbittorrent", "root"];
        const ready = async (names: string[], revision: string) => {
            const applications = await home.applications();
            const found = names.flatMap((name) => applications.get(name) ?? []);
            return found.length === names.length && found.every((each) => isReady(each, revision));
        };
        const before = rendered().length;
        const revision = await change("140Mi");
        expect(await home.pushTo(urlFor(gitea.account), "main")).toHaveEndedWith(0);
        await until("navidrome is Synced and Healthy on the commit", soon, () => ready(["navidrome"], revision));
        const refresh = "argocd.argoproj.io/refresh=normal";
        await home.kubectl("annotate", "applications.argoproj.io", "--all", "--namespace=argocd", refresh);
        await until("everything is seen to be on the commit", soon, () => ready(all, revision));
        // Argo CD always renders a source that another one takes its values from, and root's few files.
        expect([...new Set(rendered().slice(before))].sort()).toEqual(["gitops", "navidrome", "root"]);

        home.edit("charts/common/README.md", (text) => `${text}\n`);
        const library = await home.commit("the library: a line that changes nothing");
        const then = rendered().length;
        expect(await home.pushTo(urlFor(gitea.account), "main")).toHaveEndedWith(0);
        await until("every chart is Synced and Healthy on the commit", limit / 2, () => ready(all, library));
        expect([...new Set(rendered().slice(then))].sort()).toEqual(all);
    },
    limit,
);

test(
    "a push adds a service and another removes it, each with a notification; its volume stays",
    async () => {
        const claims = async () => {
            const { items } = await home.get<{ items: Live[] }>("persistentvolumeclaims", "--namespace=notes");
            return items.map(({ metadata }) => metadata.creationTimestamp);
        };
        const url = urlFor(gitea.account);
        expect(await home.hack("new-app", "notes", "--image", "ghcr.io/owner/notes:v1.2.3")).toHaveEndedWith(0);
        const revision = await home.commit("notes");
        expect(await home.pushTo(url, "main")).toHaveEndedWith(0);
        await until("notes is Synced and Healthy on the commit", soon, async () => {
            const notes = (await home.applications()).get("notes");
            return notes !== undefined && isReady(notes, revision);
        });
        const before = await claims();
        expect(before).toHaveLength(1);

        await git(["-C", home.root, "revert", "--no-edit", revision]);
        expect(await home.pushTo(url, "main")).toHaveEndedWith(0);
        await until("notes is gone", soon, async () => !(await home.applications()).has("notes"));
        expect((await home.get<{ items: Live[] }>("deployments", "--namespace=notes")).items).toEqual([]);
        expect(await claims()).toEqual(before);
    },
    limit,
);

test.each([
    ["as many commits as a pull request may have", 20, false],
    ["more commits than a notification lists, when it is found by polling", 120, true],
])(
    "after a push of %s, the cluster matches Git",
    async (_, commits, polled) => {
        const before = received();
        const wanted = `${200 + commits}Mi`;
        await change(wanted);
        for (let count = 2; count < commits; count += 1) {
            await home.emptyCommit(`${count}`);
        }
        // The last commit touches another file: for an empty one, Argo CD compares every chart.
        home.edit("README.md", (text) => `${text}\n`);
        const revision = await home.commit("another line");
        expect(await home.pushTo(urlFor(gitea.account), "main")).toHaveEndedWith(0);
        await until("Argo CD was notified of the push", soon, async () => received() > before);
        if (polled) {
            await home.kubectl(
                ...["annotate", "applications.argoproj.io", "navidrome", "--namespace=argocd"],
                "argocd.argoproj.io/refresh=normal",
            );
        }
        await until("navidrome is Synced and Healthy on the commit", soon, () => navidromeIsOn(revision));
        const { spec } = await home.get<Deployment>("deployment", "navidrome", "--namespace=navidrome");
        expect(spec.template.spec.containers[0]?.resources.requests.memory).toBe(wanted);
    },
    limit,
);

interface Deployment {
    readonly spec: {
        readonly template: {
            readonly spec: { readonly containers: { readonly resources: { requests: { memory: string } } }[] };
        };
    };
}

test("a push notification with a wrong signature is rejected", async () => {
    expect([400, 401]).toContain((await sendPushMessage(gitea, "another secret")).status);
    expect((await sendPushMessage(gitea, await home.secret("git-webhook", "secret"))).status).toBe(200);
});

test("maintainers push to main; nobody can rewrite it, not even the administrator", async () => {
    const api = new Gitea(gitea.server, gitea.account);
    const maintainer = { name: "ada", password: "of-a-maintainer" };
    await api.change("POST", "/admin/users", {
        ...{ username: maintainer.name, email: "ada@home.arpa", password: maintainer.password },
        must_change_password: false,
    });
    const teams = (await api.find<{ id: number; name: string }[]>("/orgs/home/teams")) ?? [];
    const { id } = teams.find(({ name }) => name === "maintainers") ?? {};
    await api.change("PUT", `/teams/${id}/members/${maintainer.name}`);
    const pushed = await change("138Mi");
    expect(await home.pushTo(urlFor(maintainer), "main")).toHaveEndedWith(0);

    for (const account of [maintainer, gitea.account]) {
        const { code, output } = await home.pushTo(urlFor(account), "--force", `${first}:refs/heads/main`);
        expect(code).not.toBe(0);
        expect(output).toMatch(/protected branch|force push/i);
    }
    expect(await main()).toBe(pushed);
    await until("navidrome is Synced and Healthy on the commit", soon, () => navidromeIsOn(pushed));
});

test(
    "the next run deploys a commit that came during the sync of the one before",
    async () => {
        const push = async (commit: string) => {
            expect(await home.pushTo(urlFor(gitea.account), "main")).toHaveEndedWith(0);
            return commit;
        };
        const status = async () => (await home.applications()).get("navidrome")?.status;
        // A sync ends when the wave is Healthy, so not before there is a node with this label.
        home.write("charts/navidrome/templates/slow.yaml", slow);
        const former = await push(await change("140Mi"));
        await until("Argo CD syncs the first", soon, async () => {
            const { phase, syncResult } = (await status())?.operationState ?? {};
            return phase === "Running" && syncResult?.revisions?.[0] === former;
        });
        const latter = await push(await change("142Mi"));
        await until("Argo CD has seen the second", soon, async () => revisionOf(await status()) === latter);
        await home.kubectl("label", "nodes", "--all", "hearth.test/slow=here");
        await until("the first is synced", soon, async () => (await status())?.operationState?.phase === "Succeeded");

        await start();

        expect(await navidromeIsOn(latter)).toBe(true);
    },
    limit,
);

/** A Deployment in a wave of its own, before everything else, for nodes with a label. */
const slow = `apiVersion: apps/v1
kind: Deployment
metadata: { name: slow, annotations: { argocd.argoproj.io/sync-wave: "-1" } }
spec:
  selector: { matchLabels: { app: slow } }
  template:
    metadata: { labels: { app: slow } }
    spec:
      nodeSelector: { hearth.test/slow: here }
      automountServiceAccountToken: false
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: RuntimeDefault } }
      containers:
        - name: slow
          image: registry.home.arpa/slow:1
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
`;

test("a repository with other contents is rejected, with the missing path", async () => {
    const [server, repository] = [gitea.server, { owner: "home", name: "hearth", branch: "main" }];
    const declaration = {
        ...{ server, repository, administrator: gitea.account, reader: await reader(), limit: 30 },
        webhook: { url: gitea.webhook, secret: await home.secret("git-webhook", "secret") },
        seed: "refs/hearth/seed/test",
    };
    await expect(declare({ ...declaration, contains: "clusters/elsewhere/kustomization.yaml" })).rejects.toThrow(
        /has no clusters\/elsewhere\/kustomization.yaml: it is not this home's repository/,
    );
});

test("a runner registers with the generated token, for one job, and not without it", async () => {
    const register = (token: string) =>
        fetch(`${gitea.server}/api/actions/runner.v1.RunnerService/Register`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            // Like the runner of charts/gitops.
            body: JSON.stringify({ name: "runner-arm64-0", token, labels: ["linux-arm64"], ephemeral: true }),
        });
    expect((await register("0".repeat(40))).ok).toBe(false);
    expect((await register(await home.secret("gitops-secrets", "runner-token", "gitops"))).ok).toBe(true);
    const { runners } = (await new Gitea(gitea.server, gitea.account).find<{ runners: object[] }>(
        "/admin/actions/runners",
    )) ?? { runners: [] };
    expect(runners).toEqual([
        expect.objectContaining({
            name: "runner-arm64-0",
            ephemeral: true,
            labels: [expect.objectContaining({ name: "linux-arm64" })],
        }),
    ]);
});

test("nodes log in to the registry with the generated password, and cannot pull without it", async () => {
    const ask = async (authorization?: string) =>
        (
            await fetch(`${gitea.server}/v2/token?service=container_registry`, {
                headers: authorization === undefined ? {} : { authorization },
            })
        ).status;
    const basic = (password: string) => `Basic ${Buffer.from(`nodes:${password}`).toString("base64")}`;

    expect(await ask()).toBe(401);
    expect(await ask(basic("wrong"))).toBe(401);
    expect(await ask(basic(await home.secret("gitops-secrets", "registry-password", "gitops")))).toBe(200);
});

test("an administrator's wrong password is reported as such", async () => {
    const wrong = { name: "hearth", password: "wrong" };
    await expect(
        declare({
            ...{ server: gitea.server, administrator: wrong, reader: wrong, limit: 30, contains: "x", seed: "x" },
            repository: { owner: "home", name: "hearth", branch: "main" },
            webhook: { url: gitea.webhook, secret: "x" },
        }),
    ).rejects.toThrow(/rejects the login of the account hearth.*hearth:gitea/s);
});

/**
 * Stops Gitea, which the sandbox restarts as soon as its program is restored.
 *
 * @returns a function that restores the program
 */
function takeGiteaAway(): () => void {
    const program = join(home.root, ".sandbox/bin/gitea");
    const target = readlinkSync(program);
    const log = readFileSync(join(home.root, ".sandbox/logs/daemon.log"), "utf8");
    const pid = [...log.matchAll(/gitea: started as process (\d+)/g)].at(-1)?.[1];
    if (pid === undefined) {
        throw new Error("the sandbox's log names no process of Gitea");
    }
    rmSync(program);
    process.kill(Number(pid), "SIGKILL");
    return () => symlinkSync(target, program);
}

const giteaAnswers = () =>
    fetch(`${gitea.server}/api/healthz`).then(
        ({ ok }) => ok,
        () => false,
    );

/** The pods of navidrome with their creation times. */
async function pods(): Promise<string[]> {
    const { items } = await home.get<{ items: { metadata: { uid: string } }[] }>("pods", "--namespace=navidrome");
    return items.map(({ metadata }) => metadata.uid);
}

interface Condition {
    readonly type: string;
}

test(
    "services keep running while Gitea is down, and converging resumes by itself once it is up",
    async () => {
        const before = await pods();
        expect(before).not.toHaveLength(0);
        const putBack = takeGiteaAway();
        try {
            await until("Gitea is gone", soon, async () => !(await giteaAnswers()));
            await home.kubectl(
                ...["annotate", "applications.argoproj.io", "navidrome", "--namespace=argocd"],
                "argocd.argoproj.io/refresh=hard",
            );
            await until("Argo CD notices that it cannot compare", soon, async () => {
                const { status } = await home.get<{ status?: { conditions?: Condition[] } }>(
                    ...["applications.argoproj.io", "navidrome", "--namespace=argocd"],
                );
                return status?.conditions?.some(({ type }) => type === "ComparisonError") ?? false;
            });
            expect((await home.applications()).get("navidrome")?.status?.health?.status).toBe("Healthy");
            expect(await pods()).toEqual(before);
        } finally {
            putBack();
        }
        await until("Gitea answers again", soon, giteaAnswers);
        const revision = await change("144Mi");
        expect(await home.pushTo(urlFor(gitea.account), "main")).toHaveEndedWith(0);
        await until("navidrome is Synced and Healthy on the commit", soon, () => navidromeIsOn(revision));
    },
    limit,
);

test(
    "a pull request has one comment with its changes, for its last commit, without secrets",
    async () => {
        const api = new Gitea(gitea.server, gitea.account);
        const { sha1: token } = await api.change<{ sha1: string }>("POST", `/users/${gitea.account.name}/tokens`, {
            name: "preview",
            scopes: ["write:issue", "write:repository"],
        });
        const comment = async (number: number) => {
            const { code, output } = await home.hackInJob(
                { GITHUB_SERVER_URL: gitea.server, GITHUB_REPOSITORY: "home/hearth", GITHUB_TOKEN: token },
                "preview-comment",
                ...["main", "--stack", "sandbox", "--post", `${number}`],
            );
            expect({ code, output }).toEqual({ code: 0, output: "" });
            return (await api.find<{ body: string }[]>(`/repos/home/hearth/issues/${number}/comments`)) ?? [];
        };
        const push = () => home.pushTo(urlFor(gitea.account), "HEAD:refs/heads/request");
        await git(["-C", home.root, "checkout", "--quiet", "-b", "request"]);
        try {
            await change("152Mi");
            expect(await push()).toHaveEndedWith(0);
            const wanted = { title: "more memory", head: "request", base: "main" };
            const { number } = await api.change<{ number: number }>("POST", "/repos/home/hearth/pulls", wanted);
            expect(await comment(number)).toEqual([
                expect.objectContaining({ body: expect.stringMatching(/^\+\s+memory: 152Mi$/m) }),
            ]);

            await change("160Mi");
            expect(await push()).toHaveEndedWith(0);
            const comments = await comment(number);
            expect(comments).toEqual([
                expect.objectContaining({ body: expect.stringMatching(/^\+\s+memory: 160Mi$/m) }),
            ]);
            for (const secretValue of [token, gitea.account.password, (await reader()).password]) {
                expect(comments[0]?.body).not.toContain(secretValue);
            }
        } finally {
            await git(["-C", home.root, "checkout", "--quiet", "main"]);
        }
    },
    limit,
);

/** Gitea's container in the cluster. */
async function giteaContainer(): Promise<{ readonly memory?: string; readonly env: readonly string[] }> {
    const { spec } = await home.get<{
        spec: {
            template: {
                spec: { containers: { env: { name: string }[]; resources: { limits: { memory: string } } }[] };
            };
        };
    }>("statefulset", "gitea", "--namespace=gitops");
    const [container] = spec.template.spec.containers;
    return { memory: container?.resources.limits.memory, env: (container?.env ?? []).map(({ name }) => name) };
}

test(
    "a commit upgrades Gitea, and may remove objects too; the next run leaves the upgrade in place",
    async () => {
        home.edit("charts/gitops/values.yaml", (text) =>
            text
                .replace("limits: { memory: 1Gi }", "limits: { memory: 1100Mi }")
                .replace(/ *GITEA__packages__ENABLED.*\n/, ""),
        );
        await home.commit("Gitea with more memory");
        expect(await home.pushTo(urlFor(gitea.account), "main")).toHaveEndedWith(0);
        const isUpgraded = async () => (await giteaContainer()).memory === "1100Mi";
        await until("Argo CD has upgraded Gitea", soon, isUpgraded);
        expect((await giteaContainer()).env).not.toContain("GITEA__packages__ENABLED");
        await until("Gitea answers again", soon, giteaAnswers);

        await start();

        expect(await isUpgraded()).toBe(true);
        const { items } = await home.get<{ items: object[] }>("secrets", "--namespace=gitops", "--selector=owner=helm");
        expect(items).toHaveLength(1);
    },
    limit,
);

test(
    "the next run refills a Gitea that lost its data, and the services keep running",
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

// Last, since Argo CD starts again, with no rendered chart in its cache.
test(
    "the run that declares a broken webhook reports it, and still succeeds",
    async () => {
        const nowhere = gitea.webhook.replace("/api/webhook", "/nowhere");
        const change = (from: string, to: string) =>
            home.edit("Pulumi.sandbox.yaml", (text) => text.replace(`webhook: ${from}\n`, `webhook: ${to}\n`));
        change(gitea.webhook, nowhere);
        const printed = await start();
        change(nowhere, gitea.webhook);
        expect(printed).toContain(`Gitea was asked to send a test to ${nowhere}`);
        expect(printed).toContain("does not reach Argo CD");
        expect(await start()).not.toContain("does not reach Argo CD");
    },
    limit,
);
