import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { Gitea } from "../../components/gitea/api";
import { type GiteaAccess, Home, until } from "../sandbox/home";
import { limit } from "./fault";
import { soon, succeeded } from "./small-home";

/** Alert from Alertmanager's API. */
interface Alert {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
}

/** Part of a CronJob that a run of its program takes from the cluster. */
interface CronJob {
    readonly spec: {
        readonly jobTemplate: {
            readonly spec: {
                readonly template: {
                    readonly spec: {
                        readonly serviceAccountName: string;
                        readonly containers: readonly {
                            readonly env: readonly { readonly name: string; readonly value?: string }[];
                        }[];
                    };
                };
            };
        };
    };
}

interface PullRequest {
    readonly number: number;
    readonly state: string;
    readonly merged: boolean;
    readonly mergeable: boolean;
    readonly labels: readonly { readonly name: string }[];
    readonly head: { readonly sha: string };
}

const repository = "/repos/home/hearth";

/** The patch version of Home Assistant that is tried, after the one in the chart. */
const version = "2026.8.4";
const tags = ["tag: 2026.8.3", `tag: ${version}`] as const;

let home: Home;
let access: GiteaAccess;
let gitea: Gitea;
/** The account of the CronJob. */
let updater: Gitea;
let folder: string;

/** Alerts that were posted to the stand-in for Alertmanager, which has none of its own. */
let posted: Alert[];
const alertmanager: Server = createServer(async (request, response) => {
    if (request.method === "POST") {
        posted.push(...JSON.parse(await text(request)));
    }
    response.end("[]");
});

beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "hearth-updates-"));
    await new Promise<void>((listening) => alertmanager.listen(0, "127.0.0.1", listening));
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "gitops", "glance", "home-assistant", "qbittorrent");
    home.edit("clusters/home/apps/gitops.yaml", (file) =>
        file.replace(
            "    - path: charts/gitops\n",
            "$&      helm: { valuesObject: { workloads: { updates: { enabled: true } } } }\n",
        ),
    );
    const own = await home.useOwnGitea();
    await home.commit("a small home whose updates merge by themselves");
    succeeded(await home.start());
    const password = await home.secret("gitops-secrets", "gitea-admin-password", "gitops");
    access = { ...own, account: { name: "hearth", password } };
    gitea = new Gitea(own.server, access.account);
    const name = "hearth-updates";
    updater = new Gitea(own.server, {
        name,
        password: await home.secret("gitops-secrets", "updates-password", "gitops"),
    });
}, limit);

beforeEach(() => {
    posted = [];
});

afterAll(async () => {
    alertmanager.close();
    rmSync(folder, { recursive: true });
    await home?.remove();
}, limit);

async function git(...args: string[]): Promise<void> {
    await promisify(execFile)("git", ["-C", home.root, ...args]);
}

/** URL of the repository with the administrator's login. */
function authorized(): string {
    const url = new URL(access.url);
    url.username = access.account.name;
    url.password = encodeURIComponent(access.account.password);
    return url.href;
}

/** Opens a pull request that changes a chart, as Renovate does, with the comment of a rehearsal. */
async function request(chart: string, from: string, to: string): Promise<PullRequest> {
    await git("checkout", "--quiet", "main");
    await git("pull", "--quiet", "--ff-only", authorized(), "main");
    const branch = `renovate/${chart}-${to.replace(/\W+/g, "-")}`;
    await home.branch(branch);
    home.edit(`charts/${chart}/values.yaml`, (file) => file.replace(from, to));
    const commit = await home.commit(`chore(deps): ${chart} ${to}`);
    succeeded(await home.pushTo(authorized(), branch));
    const { number } = await gitea.change<PullRequest>("POST", `${repository}/pulls`, {
        ...{ head: branch, base: "main", title: `chore(deps): ${chart} ${to}` },
    });
    const body = `<!-- hearth: preview -->\n\n### Rehearsal of ${commit.slice(0, 10)} over 0123456789: every Application becomes Synced and Healthy (pulumi up: 60 s)`;
    // As the account of workflows would, which has no password.
    await updater.change("POST", `${repository}/issues/${number}/comments`, { body });
    await until("Gitea has compared it", soon, async () => (await read(number)).mergeable);
    return read(number);
}

async function read(number: number): Promise<PullRequest> {
    const found = await gitea.find<PullRequest>(`${repository}/pulls/${number}`);
    if (found === undefined) {
        throw new Error(`pull request ${number} does not exist`);
    }
    return found;
}

const labelsOf = async (number: number) => (await read(number)).labels.map(({ name }) => name);

/** One run of the CronJob's program, with its account, and with everything that it reaches where the sandbox has it. */
async function night(): Promise<string> {
    const { spec } = await home.get<CronJob>("cronjob/updates", "--namespace=gitops");
    const { serviceAccountName, containers } = spec.jobTemplate.spec.template.spec;
    const { data } = await home.get<{ data: Record<string, string> }>("configmap/updates", "--namespace=gitops");
    const script = join(folder, "updates.mjs");
    writeFileSync(script, data["updates.mjs"] ?? "");
    writeFileSync(
        join(folder, "token"),
        succeeded(await home.kubectl("create", "token", serviceAccountName, "--namespace=gitops")),
    );
    const config = JSON.parse(succeeded(await home.kubectl("config", "view", "--raw", "--flatten", "--output=json")));
    const { server, "certificate-authority-data": authority } = config.clusters[0].cluster;
    writeFileSync(join(folder, "ca.crt"), Buffer.from(authority, "base64"));
    const declared = (containers[0]?.env ?? []).flatMap(({ name, value }) =>
        value === undefined ? [] : [[name, value]],
    );
    const env = {
        ...Object.fromEntries(declared),
        PATH: process.env["PATH"],
        ACCOUNT: folder,
        KUBERNETES_API: server,
        NODE_EXTRA_CA_CERTS: join(folder, "ca.crt"),
        GITEA: access.server,
        PASSWORD: updater.account.password,
        ALERTMANAGER: `http://127.0.0.1:${(alertmanager.address() as AddressInfo).port}`,
        LIMIT: "30",
        PULSE: "1",
    };
    const { stdout } = await promisify(execFile)(process.execPath, [script], { env });
    return stdout;
}

/** Image of a service's pod template. */
const imageOf = async (workload: string, namespace: string) => {
    const { spec } = await home.get<{ spec: { template: { spec: { containers: { image: string }[] } } } }>(
        ...[workload, `--namespace=${namespace}`],
    );
    return spec.template.spec.containers.map(({ image }) => image).join(" ");
};

interface Pods {
    readonly items: readonly {
        readonly metadata: { readonly name: string; readonly uid: string };
        readonly spec: { readonly containers: readonly { readonly image: string }[] };
    }[];
}

/** Has pods of an image crash until it is stopped, as a kubelet would report it. */
async function crashUntil(isOver: () => boolean, namespace: string, tag: string): Promise<void> {
    const conditions = ["Ready", "ContainersReady"].map((type) => ({ type, status: "False" }));
    while (!isOver()) {
        const { items } = await home.get<Pods>("pods", `--namespace=${namespace}`);
        for (const { metadata } of items.filter((pod) =>
            pod.spec.containers.some(({ image }) => image.includes(tag)),
        )) {
            // With its UID, the API server rejects the patch of a pod that replaced it under the same name.
            const patch = { metadata: { uid: metadata.uid }, status: { conditions } };
            await home.kubectl(
                ...["patch", "pod", metadata.name, `--namespace=${namespace}`, "--subresource=status"],
                ...["--type=strategic", `--patch=${JSON.stringify(patch)}`],
            );
        }
    }
}

/** {@link night} during which pods of a tag crash. */
async function nightOfCrashes(namespace: string, tag: string): Promise<string> {
    let over = false;
    const crashing = crashUntil(() => over, namespace, tag);
    const printed = await night().finally(() => {
        over = true;
    });
    await crashing;
    return printed;
}

test(
    "an update that breaks its service is reverted, and reported with the minutes that it took",
    async () => {
        const { number } = await request("glance", "tag: v0.8.5", "tag: v0.8.6");
        const printed = await nightOfCrashes("glance", ":v0.8.6");
        process.stdout.write(printed);
        expect(printed).toMatch(
            new RegExp(
                `#${number} .*: reverted, since glance is Synced and Progressing; healthy again; not healthy for [0-9.]+ min`,
            ),
        );
        expect(await imageOf("deployment/glance", "glance")).toContain("v0.8.5");
        expect(await labelsOf(number)).toEqual(["hearth/reverted"]);
        expect(posted).toMatchObject([
            {
                labels: { alertname: "UpdateReverted", namespace: "glance", severity: "warning" },
                annotations: { summary: "An update of glance was reverted" },
            },
        ]);
    },
    limit,
);

test(
    "a StatefulSet whose data was copied within the day rolls back, though its pod never becomes ready",
    async () => {
        await copied("home-assistant", "config");
        const before = await imageOf("statefulset/home-assistant", "home-assistant");
        const { number } = await request("home-assistant", ...tags);
        expect(await nightOfCrashes("home-assistant", version)).toContain(
            "reverted, since home-assistant is Synced and Progressing; healthy again",
        );
        expect(await labelsOf(number)).toEqual(["hearth/reverted"]);
        expect(await imageOf("statefulset/home-assistant", "home-assistant")).toBe(before);
    },
    limit,
);

test(
    "switched off, the job is gone, and its account can no longer log in",
    async () => {
        const login = async () => (await updater.ask("GET", "/user")).status;
        expect(await login()).toBe(200);
        await git("checkout", "--quiet", "main");
        await git("pull", "--quiet", "--ff-only", authorized(), "main");
        home.edit("clusters/home/apps/gitops.yaml", (file) => file.replace(/ {6}helm: \{ valuesObject: .*\n/, ""));
        await home.commit("no updates by themselves");
        succeeded(await home.pushTo(authorized(), "main"));
        succeeded(await home.pulumi("up", "--yes", "--skip-preview"));
        expect(await login()).toBe(401);
        expect((await home.kubectl("get", "cronjob/updates", "--namespace=gitops")).output).toContain("NotFound");
    },
    limit,
);

/** Gives a claim the CronJob that copies it, which has succeeded just now. */
async function copied(namespace: string, claim: string): Promise<void> {
    const labels = { "hearth/backup": "backup", "hearth/claim": claim };
    const pod = { restartPolicy: "Never", containers: [{ name: "main", image: "example.invalid/backup:1" }] };
    home.write(
        ".sandbox/backup.json",
        JSON.stringify({
            apiVersion: "batch/v1",
            kind: "CronJob",
            metadata: { name: `${claim}-backup`, namespace, labels },
            spec: { schedule: "0 1 1 1 *", suspend: true, jobTemplate: { spec: { template: { spec: pod } } } },
        }),
    );
    succeeded(await home.kubectl("create", "--filename", join(home.root, ".sandbox/backup.json")));
    const patch = JSON.stringify({ status: { lastSuccessfulTime: new Date().toISOString() } });
    succeeded(
        await home.kubectl(
            ...["patch", "cronjob", `${claim}-backup`, `--namespace=${namespace}`, "--subresource=status"],
            ...["--type=merge", `--patch=${patch}`],
        ),
    );
}
