// Merges one of Renovate's pull requests at night, and reverts it if its service does not become or stay healthy. Runs once
// and ends. docs/upgrade.md has the conditions of a merge.
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const { ACCOUNT, ALERTMANAGER, GITEA, KUBERNETES_API, LIMIT, MEDIA_CLASS, PASSWORD, PULSE, RUNBOOK, USERNAME } =
    process.env;

/** Milliseconds from a merge to its verdict, and for the services to be healthy again after a revert. */
const limit = Number(LIMIT) * 1000;
const pulse = Number(PULSE) * 1000;
const day = 86_400_000;

/** Labels of pull requests: one whose service is being watched, and one that was reverted. */
const watched = { name: "hearth/watched", color: "#1d76db" };
const reverted = { name: "hearth/reverted", color: "#b60205" };

/** Charts that are not updated here: without Gitea, nothing can be reverted, and the library changes every service. */
const excluded = ["common", "gitops"];

const minutes = (milliseconds) => `${(milliseconds / 60_000).toFixed(1)} min`;

async function answerOf(method, url, authorization, body) {
    const response = await fetch(url, {
        method,
        headers: { ...(authorization && { authorization }), "content-type": "application/json" },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
    }).catch((error) => {
        throw new Error(`${new URL(url).origin} cannot be reached: ${error.cause?.message ?? error.message}`);
    });
    const text = await response.text();
    if (!response.ok) {
        throw new Error(`${method} ${url} answered ${response.status}: ${text.slice(0, 300)}`);
    }
    return text;
}

const parsed = (text) => (text === "" ? undefined : JSON.parse(text));

async function kubernetes(method, path) {
    // Kubernetes replaces the token while the pod runs.
    const token = readFileSync(`${ACCOUNT}/token`, "utf8").trim();
    return parsed(await answerOf(method, `${KUBERNETES_API}${path}`, `Bearer ${token}`));
}

const list = async (path) => (await kubernetes("GET", path)).items;

const login = `Basic ${Buffer.from(`${USERNAME}:${PASSWORD}`).toString("base64")}`;
const gitea = async (method, path, body) => parsed(await answerOf(method, `${GITEA}/api/v1${path}`, login, body));

/** Argo CD's status of an Application: the commit that it is on, and the reason why it is not ready, if any. */
function stateOf({ metadata, status = {} }) {
    const sync = status.sync?.status ?? "Unknown";
    const health = status.health?.status ?? "Unknown";
    return {
        name: metadata.name,
        revision: status.sync?.revisions?.[0] ?? status.sync?.revision,
        health,
        problem: sync === "Synced" && health === "Healthy" ? undefined : `${metadata.name} is ${sync} and ${health}`,
    };
}

const applications = () => list("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications");

const sourceOf = ({ spec }) => spec.sources?.[0] ?? spec.source ?? {};

/** The Applications that deploy some charts. */
const deploying = (all, charts) =>
    all.filter((each) => charts.includes(sourceOf(each).path?.replace(/^charts\//, "")));

const namespacesOf = (all) => [...new Set(all.map(({ spec }) => spec.destination.namespace))];

/** The home's repository on this Gitea, as its Applications name it: owner and name, and the branch. */
function repositoryOf(all) {
    const sources = all.map(sourceOf);
    const { repoURL = "", targetRevision: branch } = sources.find(({ path }) => path?.startsWith("charts/")) ?? {};
    const [, repository] = /^https?:\/\/[^/]+\/([^/]+\/[^/]+?)(\.git)?$/.exec(repoURL) ?? [];
    if (repository === undefined) {
        throw new Error(`the Applications read ${repoURL || "no repository"}, and only one on the home's Gitea is updated`);
    }
    return { repository, branch };
}

/** Active alerts of namespaces. */
async function alerts(namespaces) {
    const active = parsed(await answerOf("GET", `${ALERTMANAGER}/api/v2/alerts?active=true&silenced=false`));
    return active.filter(({ labels }) => namespaces.includes(labels.namespace) || namespaces.includes(labels.name));
}

/** Reports an outcome as an alert, which reaches the home's receivers as all others do; it is over after half a day. */
const notify = (severity, namespace, summary, description) =>
    answerOf("POST", `${ALERTMANAGER}/api/v2/alerts`, undefined, [
        {
            labels: { alertname: "UpdateReverted", namespace, severity },
            annotations: { summary, description: `${description}\n${RUNBOOK}`, runbook_url: RUNBOOK },
            endsAt: new Date(Date.now() + day / 2).toISOString(),
        },
    ]);

const tagLine = /^(\s*)tag: "?([\w.+-]+?)(@sha256:[0-9a-f]{64})?"?$/;
const version = /^(v?\d+\.\d+\.)(\d+(?:\.\d+)*)(.*)$/;

/** Reports whether a tag is another digest or a later patch version of one. */
export function isPatch(before, after) {
    const [from, to] = [tagLine.exec(before), tagLine.exec(after)];
    if (!from || !to || from[1] !== to[1]) {
        return false;
    }
    if (from[2] === to[2]) {
        return to[3] !== undefined;
    }
    const [old, next] = [version.exec(from[2]), version.exec(to[2])];
    if (!old || !next || old[1] !== next[1] || old[3] !== next[3]) {
        return false;
    }
    const [first, second] = [old[2], next[2]].map((each) => each.split(".").map(Number));
    const at = second.findIndex((each, index) => each !== first[index]);
    return first.length === second.length && at >= 0 && second[at] > first[at];
}

/**
 * Changes of a unified diff, by file: each new tag.
 *
 * @returns undefined if it changes more than patch versions and digests of images in charts
 */
export function patchesIn(diff) {
    const changes = new Map();
    for (const part of diff.split(/^diff --git .*\n/m).slice(1)) {
        const [head = "", ...hunks] = part.split(/^@@ .*\n/m);
        const [, file] = /^index \S+ 100644\n--- a\/(charts\/(?:\w[\w.-]*\/)+\w[\w.-]*\.ya?ml)\n\+\+\+ b\/\1\n$/.exec(head) ?? [];
        const lines = hunks.join("").split("\n");
        const [removed, added] = ["-", "+"].map((sign) =>
            lines.filter((line) => line.startsWith(sign)).map((line) => line.slice(1)),
        );
        const isOnlyPatches = removed.length === added.length && removed.every((line, at) => isPatch(line, added[at]));
        if (file === undefined || added.length === 0 || !isOnlyPatches) {
            return undefined;
        }
        changes.set(file, added.map((line) => line.trim()));
    }
    return changes.size > 0 ? changes : undefined;
}

const chartsOf = (changes) => [...new Set([...changes.keys()].map((file) => file.split("/")[1]))];

/** The reason why the data of namespaces has no copy of the last day; undefined if it has one, or there is no data. */
async function uncopied(namespaces) {
    for (const namespace of namespaces) {
        const policies = await list(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`);
        const usesDatabase = JSON.stringify(policies.flatMap(({ spec }) => spec.egress ?? [])).includes('"database"');
        for (const place of usesDatabase ? [namespace, "database"] : [namespace]) {
            const claims = await list(`/api/v1/namespaces/${place}/persistentvolumeclaims`);
            const kept = claims.filter(
                ({ metadata, spec }) =>
                    metadata.annotations?.["helm.sh/resource-policy"] === "keep" &&
                    spec.storageClassName !== MEDIA_CLASS,
            );
            const selector = encodeURIComponent("hearth/backup=backup");
            const copies = await list(`/apis/batch/v1/namespaces/${place}/cronjobs?labelSelector=${selector}`);
            if (kept.length > 0 && copies.length === 0) {
                return `${place} has data without a backup`;
            }
            const late = copies.find(({ status }) => !(Date.now() - Date.parse(status?.lastSuccessfulTime) < day));
            if (late) {
                return `the last copy of ${place}/${late.metadata.labels["hearth/claim"]} is older than a day`;
            }
        }
    }
    return undefined;
}

/** Reports whether the pull request's last commit was rehearsed, and every Application became Synced and Healthy. */
async function isRehearsed(home, { number, head }) {
    const comments = await gitea("GET", `/repos/${home.repository}/issues/${number}/comments`);
    return comments.some(
        ({ user, body }) =>
            // The account of workflows, which nobody can log in as, or the administrator.
            ["gitea-actions", USERNAME].includes(user.login) &&
            new RegExp(`^### Rehearsal of ${head.sha.slice(0, 10)} over \\w+: every Application becomes`, "m").test(body),
    );
}

const diffOf = (home, { number }) =>
    answerOf("GET", `${GITEA}/api/v1/repos/${home.repository}/pulls/${number}.diff`, login);

/** Closed pull requests with a label, newest first. */
async function labeled(home, { name }) {
    const query = `state=closed&type=pulls&labels=${encodeURIComponent(name)}&limit=50`;
    const found = await gitea("GET", `/repos/${home.repository}/issues?${query}`);
    // Gitea ignores a label that does not exist yet.
    return found.filter(({ labels }) => labels.some((each) => each.name === name));
}

/** Changes that were reverted once: a file, and a tag in it. */
async function refused(home) {
    const found = new Set();
    for (const each of await labeled(home, reverted)) {
        for (const [file, tags] of patchesIn(await diffOf(home, each)) ?? []) {
            for (const tag of tags) {
                found.add(`${file} ${tag}`);
            }
        }
    }
    return found;
}

/** The reason why a pull request is left to a person; undefined if it may be merged. */
async function objection(home, all, before, request) {
    if (request.draft || !request.mergeable || request.head.repo?.full_name !== home.repository) {
        return "it is a draft, in conflict, or of another repository";
    }
    const changes = patchesIn(await diffOf(home, request));
    if (changes === undefined) {
        return "it changes more than patch versions and digests of images";
    }
    const charts = chartsOf(changes);
    const touched = deploying(all, charts);
    if (touched.length === 0 || charts.some((each) => excluded.includes(each))) {
        return `${charts.join(", ")} cannot be updated without you`;
    }
    if ([...changes].some(([file, tags]) => tags.some((tag) => before.has(`${file} ${tag}`)))) {
        return `it was reverted before; to have it tried again, remove the label ${reverted.name} there`;
    }
    if (!(await isRehearsed(home, request))) {
        return "its last commit has no good rehearsal";
    }
    const namespaces = namespacesOf(touched);
    const [alert] = await alerts(namespaces);
    return alert ? `${alert.labels.alertname} is active` : uncopied(namespaces);
}

async function labelId(home, { name, color }) {
    const all = await gitea("GET", `/repos/${home.repository}/labels?limit=50`);
    const found = all.find((each) => each.name === name);
    return (found ?? (await gitea("POST", `/repos/${home.repository}/labels`, { name, color }))).id;
}

const comment = (home, number, body) =>
    gitea("POST", `/repos/${home.repository}/issues/${number}/comments`, { body });

/**
 * Waits for a verdict on a commit.
 *
 * @param start milliseconds since 1970: alerts that started later count
 * @returns the reason to revert it, if any, and since when it was not healthy
 */
async function watch(charts, former, start) {
    let since;
    for (;;) {
        const states = deploying(await applications(), charts);
        const [alert] = (await alerts(namespacesOf(states))).filter(({ startsAt }) => Date.parse(startsAt) >= start);
        const current = states.map(stateOf);
        const unready = current.find(({ problem }) => problem);
        const degraded = current.find(({ health }) => health === "Degraded");
        since = unready ? (since ?? Date.now()) : undefined;
        if (alert || degraded) {
            return { since: since ?? Date.now(), reason: alert?.annotations.summary ?? degraded.problem };
        }
        if (Date.now() - start >= limit) {
            const behind = current.find(({ revision }) => revision === former);
            const reason = unready?.problem ?? (behind && `${behind.name} is not on the commit`);
            return reason && { since: since ?? Date.now(), reason };
        }
        await pause(pulse);
    }
}

/** Commits the files of a merge as they were before. */
async function revert(home, { title, merge_commit_sha: merged }, files, reason) {
    const { parents } = await gitea("GET", `/repos/${home.repository}/git/commits/${merged}`);
    const at = async (file, commit) => gitea("GET", `/repos/${home.repository}/contents/${file}?ref=${commit}`);
    const changes = [];
    for (const path of files) {
        // Gitea refuses it when the file is not the merged one any more.
        const [{ content }, { sha }] = [await at(path, parents[0].sha), await at(path, merged)];
        changes.push({ operation: "update", path, content, sha });
    }
    const message = `revert: ${title}\n\nThis reverts commit ${merged}: ${reason}.`;
    await gitea("POST", `/repos/${home.repository}/contents`, { branch: home.branch, message, files: changes });
}

/**
 * Deletes pods of the commit that was reverted. A StatefulSet keeps one that never becomes ready, and waits for it:
 * https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
 */
async function replaceStuck(namespaces) {
    for (const namespace of namespaces) {
        const pods = await list(`/api/v1/namespaces/${namespace}/pods`);
        for (const { metadata, spec, status } of await list(`/apis/apps/v1/namespaces/${namespace}/statefulsets`)) {
            const stuck = pods.filter(
                (pod) =>
                    status.observedGeneration === metadata.generation &&
                    pod.metadata.deletionTimestamp === undefined &&
                    pod.metadata.ownerReferences?.[0]?.uid === metadata.uid &&
                    pod.metadata.labels["controller-revision-hash"] !== status.updateRevision &&
                    !pod.status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
            );
            for (const pod of spec.podManagementPolicy === "Parallel" ? [] : stuck) {
                await kubernetes("DELETE", `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}`);
            }
        }
    }
}

/** Waits until Applications are ready on another commit. */
async function recovered(charts, former) {
    for (const start = Date.now(); Date.now() - start < limit; await pause(pulse)) {
        const touched = deploying(await applications(), charts);
        const states = touched.map(stateOf);
        if (states.every(({ problem, revision }) => !problem && revision !== former)) {
            return true;
        }
        if (states.every(({ revision }) => revision !== former)) {
            await replaceStuck(namespacesOf(touched));
        }
    }
    return false;
}

/** Watches a merged pull request, and reverts it if it has to be. */
async function judge(home, request) {
    const { number, title, merge_commit_sha: merged, merged_at: mergedAt } = request;
    const changes = patchesIn(await diffOf(home, request));
    const charts = chartsOf(changes);
    const { parents } = await gitea("GET", `/repos/${home.repository}/git/commits/${merged}`);
    const verdict = await watch(charts, parents[0].sha, Date.parse(mergedAt));
    if (verdict === undefined) {
        console.log(`#${number} ${title}: healthy for ${minutes(limit)}`);
    } else {
        const { since, reason } = verdict;
        const [namespace] = namespacesOf(deploying(await applications(), charts));
        await gitea("POST", `/repos/${home.repository}/issues/${number}/labels`, {
            labels: [await labelId(home, reverted)],
        });
        try {
            await revert(home, request, [...changes.keys()], reason);
        } catch (error) {
            await notify(
                "critical",
                namespace,
                `An update of ${charts.join(", ")} cannot be reverted`,
                `${title} was merged by itself: ${reason}. The revert failed: ${error.message}. Run \`git revert ${merged}\` and push.`,
            );
            throw error;
        }
        const isOver = await recovered(charts, merged);
        const outcome = isOver
            ? `healthy again; not healthy for ${minutes(Date.now() - since)}`
            : `still not healthy ${minutes(limit)} after it: \`hack/status\` names the reason`;
        console.log(`#${number} ${title}: reverted, since ${reason}; ${outcome}`);
        await comment(home, number, `Merged by itself and reverted: ${reason}. The service is ${outcome}.`);
        await notify(
            isOver ? "warning" : "critical",
            namespace,
            `An update of ${charts.join(", ")} was reverted`,
            `${title} was merged by itself and reverted: ${reason}. The service is ${outcome}.`,
        );
    }
    const id = await labelId(home, watched);
    await gitea("DELETE", `/repos/${home.repository}/issues/${number}/labels/${id}`);
}

async function main() {
    const all = await applications();
    const home = repositoryOf(all);
    const pulls = `/repos/${home.repository}/pulls`;
    const id = await labelId(home, watched);
    // A run that was cut short left a merge without a verdict.
    for (const { number } of await labeled(home, watched)) {
        const request = await gitea("GET", `${pulls}/${number}`);
        if (request.merged) {
            return judge(home, request);
        }
    }
    const unready = all.map(stateOf).find(({ problem }) => problem);
    if (unready) {
        console.log(`nothing is merged: ${unready.problem}`);
        return;
    }
    const before = await refused(home);
    const open = await gitea("GET", `${pulls}?state=open&sort=oldest&limit=50`);
    for (const request of open.filter(({ base }) => base.ref === home.branch)) {
        const { number, title, head } = request;
        const reason = await objection(home, all, before, request);
        if (reason !== undefined) {
            console.log(`#${number} ${title}: ${reason}`);
            continue;
        }
        await gitea("POST", `/repos/${home.repository}/issues/${number}/labels`, { labels: [id] });
        await gitea("POST", `${pulls}/${number}/merge`, {
            Do: "squash",
            head_commit_id: head.sha,
            delete_branch_after_merge: true,
        });
        console.log(`#${number} ${title}: merged`);
        return judge(home, await gitea("GET", `${pulls}/${number}`));
    }
}

if (process.argv[1] === import.meta.filename) {
    main().catch((error) => {
        console.error(`updates: ${error.message}`);
        process.exit(1);
    });
}
