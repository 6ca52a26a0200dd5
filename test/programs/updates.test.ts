import { type ExecFileException, execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { Gitea } from "../../components/gitea/api";
import { freePort } from "../../lib/ports";
import { startGitea } from "../../sandbox/gitea";
import type { Closeable } from "../../sandbox/http-server";
import { sandboxPaths } from "../../sandbox/paths";

jest.setTimeout(600_000);

const script = join(__dirname, "../../charts/gitops/config/updates/updates.mjs");
const repository = "/repos/home/hearth";
const account = { name: "hearth", password: "of-the-administrator" };
const directory = mkdtempSync(join(tmpdir(), "hearth-updates-"));
const applications = ["books", "home", "gitops"] as const;
type Name = (typeof applications)[number];

/** Alert as Alertmanager's API has it. */
interface Alert {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly startsAt?: string;
}

interface PullRequest {
    readonly number: number;
    readonly state: string;
    readonly merged: boolean;
    readonly mergeable: boolean;
    readonly merge_commit_sha: string;
    readonly labels: readonly { readonly name: string }[];
    readonly head: { readonly sha: string };
}

let running: Closeable;
let server: string;
let gitea: Gitea;

/** State of the stand-ins. */
let active: (tagOfHome: string) => Alert[];
let posted: Alert[];
/** Health of a service that has a tag. */
let health: (tag: string) => "Healthy" | "Progressing" | "Degraded";
/** When each claim was last copied; undefined if it is not backed up. */
let copied: Record<string, Date | undefined>;
let pods: { readonly metadata: { readonly name: string }; readonly [field: string]: unknown }[];

const file = (chart: string) => `charts/${chart}/values.yaml`;

async function contentOf(chart: string): Promise<{ content: string; sha: string }> {
    const found = await gitea.find<{ content: string; sha: string }>(`${repository}/contents/${file(chart)}?ref=main`);
    return { content: Buffer.from(found?.content ?? "", "base64").toString(), sha: found?.sha ?? "" };
}

const tagOf = async (chart: string) => /tag: (\S+)/.exec((await contentOf(chart)).content)?.[1] ?? "";

/** Argo CD's Application of a chart, on the head of main. */
async function application(name: Name): Promise<object> {
    const branch = await gitea.find<{ commit: { id: string } }>(`${repository}/branches/main`);
    return {
        metadata: { name },
        spec: {
            destination: { namespace: name },
            sources: [{ repoURL: `${server}/home/hearth.git`, path: `charts/${name}`, targetRevision: "main" }],
        },
        status: {
            sync: { status: "Synced", revisions: [branch?.commit.id] },
            health: { status: health(await tagOf(name)) },
        },
    };
}

/** Objects of a namespace, as the API server lists them. */
function objects(kind: string, namespace: string): unknown[] {
    const copy = copied[namespace];
    switch (kind) {
        case "persistentvolumeclaims":
            return [
                { metadata: { annotations: {} }, spec: { storageClassName: "local-path" } },
                {
                    metadata: { annotations: { "helm.sh/resource-policy": "keep" } },
                    spec: { storageClassName: "media" },
                },
                ...(namespace in copied
                    ? [
                          {
                              metadata: { annotations: { "helm.sh/resource-policy": "keep" } },
                              spec: { storageClassName: "local-path" },
                          },
                      ]
                    : []),
            ];
        case "cronjobs":
            return copy
                ? [{ metadata: { labels: { "hearth/claim": "config" } }, status: { lastSuccessfulTime: copy } }]
                : [];
        case "statefulsets":
            return [
                {
                    metadata: { uid: "set", generation: 2 },
                    spec: { podManagementPolicy: "OrderedReady" },
                    status: { observedGeneration: 2, updateRevision: "before" },
                },
            ];
        case "pods":
            return pods;
        default:
            return [];
    }
}

/** Stand-in for the API server, with Argo CD behind it, and for Alertmanager. */
const cluster: Server = createServer(async (request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    const [, namespace = "", kind = "", name] = /namespaces\/([^/]+)\/(\w+)\/?(.*)$/.exec(path) ?? [];
    const answer = (value: unknown) => response.end(JSON.stringify(value));
    if (path === "/api/v2/alerts") {
        posted.push(...(request.method === "POST" ? JSON.parse(await text(request)) : []));
        return answer(active(await tagOf("home")));
    }
    if (request.headers.authorization !== "Bearer of-the-account") {
        return response.writeHead(401).end();
    }
    if (request.method === "DELETE") {
        pods = pods.filter(({ metadata }) => metadata.name !== name);
        return answer({});
    }
    const items = kind === "applications" ? await Promise.all(applications.map(application)) : objects(kind, namespace);
    return answer({ items });
});

beforeAll(async () => {
    const paths = sandboxPaths(directory);
    for (const folder of [paths.logs, paths.bin]) {
        mkdirSync(folder, { recursive: true });
    }
    writeFileSync(join(directory, "token"), "of-the-account\n");
    const port = await freePort();
    server = `http://127.0.0.1:${port}`;
    running = await startGitea(paths, port, { administrator: account.name, password: account.password }, () => {});
    gitea = new Gitea(server, account);
    await gitea.change("POST", "/orgs", { username: "home", visibility: "private" });
    const wanted = { name: "hearth", private: true, auto_init: true, default_branch: "main" };
    await gitea.change("POST", "/orgs/home/repos", wanted);
    const files = applications.map((name) => ({
        operation: "create",
        path: file(name),
        content: Buffer.from(`workloads:\n  ${name}:\n    image:\n      tag: 1.0.0\n    size: 1Gi\n`).toString(
            "base64",
        ),
    }));
    await gitea.change("POST", `${repository}/contents`, { branch: "main", message: "charts", files });
    cluster.listen(0, "127.0.0.1");
    await once(cluster, "listening");
});

beforeEach(() => {
    active = () => [];
    posted = [];
    health = () => "Healthy";
    copied = {};
    pods = [];
});

afterEach(async () => {
    for (const { number } of (await gitea.find<PullRequest[]>(`${repository}/pulls?state=open`)) ?? []) {
        await gitea.change("PATCH", `${repository}/pulls/${number}`, { state: "closed" });
    }
});

afterAll(async () => {
    await running.close();
    cluster.close();
    rmSync(directory, { recursive: true });
});

/** Changes a file on main, or on a new branch. */
async function edit(chart: string, change: (before: string) => string, branch?: string): Promise<void> {
    const { content, sha } = await contentOf(chart);
    const files = [
        { operation: "update", path: file(chart), content: Buffer.from(change(content)).toString("base64"), sha },
    ];
    const target = { branch: "main", ...(branch && { new_branch: branch }) };
    await gitea.change("POST", `${repository}/contents`, { ...target, message: `chore(deps): ${chart}`, files });
}

async function read(number: number): Promise<PullRequest> {
    const found = await gitea.find<PullRequest>(`${repository}/pulls/${number}`);
    if (found === undefined) {
        throw new Error(`there is no pull request ${number}`);
    }
    return found;
}

const labelsOf = async (number: number) => (await read(number)).labels.map(({ name }) => name);

let branches = 0;

/** Opens a pull request that sets a chart's tag, as Renovate does, with the comment of a rehearsal. */
async function propose(
    chart: string,
    tag: string,
    rehearsal = "every Application becomes Synced and Healthy",
): Promise<PullRequest> {
    const branch = `renovate/${++branches}`;
    await edit(chart, (before) => before.replace(/tag: .*/, `tag: ${tag}`), branch);
    const title = `chore(deps): ${chart} to ${tag}`;
    const { number, head } = await gitea.change<PullRequest>("POST", `${repository}/pulls`, {
        head: branch,
        base: "main",
        title,
    });
    const body = `<!-- hearth: preview -->\n\n### Rehearsal of ${head.sha.slice(0, 10)} over 0123456789: ${rehearsal} (pulumi up: 60 s)\n`;
    await gitea.change("POST", `${repository}/issues/${number}/comments`, { body });
    // Gitea looks for conflicts after it has answered.
    while (!(await read(number)).mergeable) {
        await delay(100);
    }
    return read(number);
}

/** One run of the CronJob. */
async function night(limit = 2, signal?: AbortSignal): Promise<string> {
    const origin = `http://127.0.0.1:${(cluster.address() as AddressInfo).port}`;
    const env = {
        PATH: process.env["PATH"],
        ACCOUNT: directory,
        KUBERNETES_API: origin,
        ALERTMANAGER: origin,
        GITEA: server,
        USERNAME: account.name,
        PASSWORD: account.password,
        LIMIT: String(limit),
        PULSE: "0.2",
        MEDIA_CLASS: "media",
        RUNBOOK: "https://git.home.arpa/upgrade.md",
    };
    return new Promise((resolve, reject) => {
        execFile(process.execPath, [script], { env, signal }, (error: ExecFileException | null, stdout, stderr) =>
            error ? reject(new Error(`${stdout}${stderr}`)) : resolve(stdout),
        );
    });
}

test("a request that a person has to look at stays open, with the reason", async () => {
    copied = { books: new Date(Date.now() - 25 * 3_600_000) };
    const requests = {
        "it changes more than patch versions and digests of images": await propose("home", "1.1.0"),
        "its last commit has no good rehearsal": await propose("home", "1.0.2", "do not merge it as it is"),
        "gitops cannot be updated without you": await propose("gitops", "1.0.1"),
        "the last copy of books/config is older than a day": await propose("books", "1.0.1"),
    };
    const printed = await night();
    for (const [reason, { number }] of Object.entries(requests)) {
        expect(printed).toMatch(new RegExp(`^#${number} .*: ${reason}$`, "m"));
        expect(await read(number)).toMatchObject({ state: "open", labels: [] });
    }
    copied = { books: undefined };
    expect(await night()).toContain("books has data without a backup");
    active = () => [{ labels: { alertname: "PodNotReady", namespace: "books" }, annotations: {} }];
    expect(await night()).toContain("PodNotReady is active");
    expect(posted).toEqual([]);
});

test("nothing is merged while a service is not healthy", async () => {
    health = (tag) => (tag === "1.0.0" ? "Progressing" : "Healthy");
    const { number } = await propose("home", "1.0.1");
    expect(await night()).toBe("nothing is merged: books is Synced and Progressing\n");
    expect(await read(number)).toMatchObject({ state: "open", labels: [] });
});

test("a patch version of a service whose data was copied within the day is merged, one request a night", async () => {
    copied = { books: new Date() };
    const [first, second] = [await propose("books", "1.0.1"), await propose("home", "1.0.1")];
    expect(await night()).toBe(
        `#${first.number} chore(deps): books to 1.0.1: merged\n#${first.number} chore(deps): books to 1.0.1: healthy for 0.0 min\n`,
    );
    expect(await read(first.number)).toMatchObject({ merged: true, labels: [] });
    expect(await tagOf("books")).toBe("1.0.1");
    expect(await read(second.number)).toMatchObject({ state: "open", labels: [] });
    expect(posted).toEqual([]);
});

test("an update whose service does not become healthy is reverted, reported, and not tried again until its label is removed", async () => {
    health = (tag) => (tag === "1.0.5" ? "Progressing" : "Healthy");
    const { content } = await contentOf("home");
    const { number } = await propose("home", "1.0.5");
    const printed = await night();
    expect(printed).toMatch(
        new RegExp(
            `^#${number} .*: reverted, since home is Synced and Progressing; healthy again; not healthy for 0\\.\\d min$`,
            "m",
        ),
    );
    expect(await contentOf("home")).toMatchObject({ content });
    expect(await labelsOf(number)).toEqual(["hearth/reverted"]);
    const head = await gitea.find<{ commit: { message: string } }>(`${repository}/branches/main`);
    const { merge_commit_sha: merged } = await read(number);
    expect(head?.commit.message.trim()).toBe(
        `revert: chore(deps): home to 1.0.5\n\nThis reverts commit ${merged}: home is Synced and Progressing.`,
    );
    expect(posted).toMatchObject([
        {
            labels: { alertname: "UpdateReverted", namespace: "home", severity: "warning" },
            annotations: {
                summary: "An update of home was reverted",
                description: expect.stringMatching(/home is Synced and Progressing.*healthy again.*upgrade\.md$/s),
            },
        },
    ]);

    health = () => "Healthy";
    const again = await propose("home", "1.0.5");
    expect(await night()).toContain(`#${again.number} chore(deps): home to 1.0.5: it was reverted before`);
    expect(await read(again.number)).toMatchObject({ state: "open" });
    await gitea.change("PUT", `${repository}/issues/${number}/labels`, { labels: [] });
    expect(await night()).toContain(`#${again.number} chore(deps): home to 1.0.5: merged`);
});

test.each([
    {
        what: "a Degraded service",
        break: () => {
            health = (tag) => (tag === "1.0.6" ? "Degraded" : "Healthy");
        },
        reason: "home is Synced and Degraded",
    },
    {
        what: "a service with an alert that starts after the merge",
        break: () => {
            const labels = { alertname: "ServiceDoesNotAnswer", namespace: "home" };
            const startsAt = new Date(Date.now() + 3_600_000).toISOString();
            const alert = { labels, annotations: { summary: "home does not answer" }, startsAt };
            active = (tag) => (tag === "1.0.6" ? [alert] : []);
        },
        reason: "home does not answer",
    },
])("$what is reverted at once", async (each) => {
    const tag = await tagOf("home");
    each.break();
    const { number } = await propose("home", "1.0.6");
    expect(await night(60)).toContain(`reverted, since ${each.reason}; healthy again`);
    expect(await tagOf("home")).toBe(tag);
    await gitea.change("PUT", `${repository}/issues/${number}/labels`, { labels: [] });
});

test("a run that was killed is continued, and a pod that keeps its StatefulSet from rolling back is deleted", async () => {
    health = (tag) => (tag === "1.0.7" ? "Progressing" : "Healthy");
    const tag = await tagOf("home");
    const pod = (name: string, revision: string, ready: string) => ({
        metadata: { name, labels: { "controller-revision-hash": revision }, ownerReferences: [{ uid: "set" }] },
        status: { conditions: [{ type: "Ready", status: ready }] },
    });
    pods = [pod("stuck", "after", "False"), pod("ready", "after", "True"), pod("new", "before", "False")];
    const { number } = await propose("home", "1.0.7");
    const killed = new AbortController();
    const cut = night(600, killed.signal).catch(() => undefined);
    while (!(await read(number)).merged) {
        await delay(100);
    }
    killed.abort();
    await cut;
    expect(await labelsOf(number)).toEqual(["hearth/watched"]);
    // The service is healthy once the pod is gone.
    const isStuck = () => pods.some(({ metadata }) => metadata.name === "stuck");
    health = () => (isStuck() ? "Progressing" : "Healthy");
    expect(await night()).toContain("reverted, since home is Synced and Progressing; healthy again");
    expect(pods.map(({ metadata }) => metadata.name)).toEqual(["ready", "new"]);
    expect(await tagOf("home")).toBe(tag);
});

test("a revert that Gitea refuses is a critical alert with the command", async () => {
    health = (tag) => (tag === "1.0.8" ? "Progressing" : "Healthy");
    const { number } = await propose("home", "1.0.8");
    const run = night(6).catch((error: Error) => error.message);
    while (!(await read(number)).merged) {
        await delay(100);
    }
    await edit("home", (before) => before.replace("size: 1Gi", "size: 2Gi"));
    expect(await run).toMatch(/answered 4\d\d/);
    const { merge_commit_sha: merged } = await read(number);
    expect(posted).toMatchObject([
        {
            labels: { alertname: "UpdateReverted", severity: "critical" },
            annotations: { description: expect.stringContaining(`Run \`git revert ${merged}\` and push.`) },
        },
    ]);
    expect(await tagOf("home")).toBe("1.0.8");
});
