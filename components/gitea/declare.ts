import { setTimeout as delay } from "node:timers/promises";
import { type Account, git } from "../git";
import { Gitea, GiteaError } from "./api";

/** Desired state of Gitea. */
export interface Declaration {
    /** Gitea's address. */
    readonly server: string;
    /** The address that leads there from here, if that is another one: the home's own Gitea is reached through the cluster. */
    readonly reached?: string;
    /** The repository. */
    readonly repository: { readonly owner: string; readonly name: string; readonly branch: string };
    /** Account that declares everything. */
    readonly administrator: Account;
    /** Account that Argo CD reads the repository as; may read its code, and nothing else. */
    readonly reader: Account;
    /** Password of the account that merges updates at night, and reverts them; undefined if nobody does. */
    readonly updater?: string;
    /** URL that is notified of a push, and the key that signs the notifications. */
    readonly webhook: { readonly url: string; readonly secret: string };
    /** A path that a repository of this home has. */
    readonly contains: string;
    /** Name of the ref that records which run filled the repository. */
    readonly seed: string;
    /** Seconds for Gitea to become reachable. */
    readonly limit: number;
}

/** Seconds for a push: of the whole history, over a line that may be slow. */
export const pushLimit = 1_800;

interface Team {
    readonly id: number;
    readonly name: string;
}

/** Permissions of the organization's teams, besides its owners. */
const teams = {
    /** They push, and review pull requests. */
    maintainers: {
        permission: "write",
        units: ["repo.code", "repo.pulls", "repo.issues", "repo.actions", "repo.packages", "repo.releases"],
    },
    readers: { permission: "read", units: ["repo.code"] },
};

async function declareOrganization(gitea: Gitea, name: string): Promise<void> {
    if (!(await gitea.find(`/orgs/${name}`))) {
        if (await gitea.find(`/users/${name}`)) {
            throw new GiteaError(
                `invalid hearth:repository.url: got ${gitea.server}/${name}/…, expected an organization in front of the ` +
                    `repository: ${name} is a user, and users have no teams. Name an organization; it is created if it does not exist`,
            );
        }
        await gitea.change("POST", "/orgs", { username: name, visibility: "private" });
    }
}

async function declareRepository(gitea: Gitea, { owner, name, branch }: Declaration["repository"]): Promise<void> {
    const wanted = { private: true, default_branch: branch };
    if (!(await gitea.find(`/repos/${owner}/${name}`))) {
        await gitea.change("POST", `/orgs/${owner}/repos`, { name, ...wanted });
    }
    await gitea.change("PATCH", `/repos/${owner}/${name}`, wanted);
}

/** @returns each team's number */
async function declareTeams(
    gitea: Gitea,
    { owner, name }: Declaration["repository"],
): Promise<Record<keyof typeof teams, number>> {
    const existing = (await gitea.find<Team[]>(`/orgs/${owner}/teams?limit=50`)) ?? [];
    const declare = async (team: keyof typeof teams) => {
        const wanted = { name: team, ...teams[team], includes_all_repositories: false, can_create_org_repo: false };
        const found = existing.find((each) => each.name === team);
        const { id } = found
            ? await gitea.change<Team>("PATCH", `/teams/${found.id}`, wanted)
            : await gitea.change<Team>("POST", `/orgs/${owner}/teams`, wanted);
        await gitea.change("PUT", `/teams/${id}/repos/${owner}/${name}`);
        return id;
    };
    return { maintainers: await declare("maintainers"), readers: await declare("readers") };
}

/** Account that charts/gitops/config/updates merges and reverts with: it may write to this repository. */
const updaterName = "hearth-updates";

/** Email address of an account of this home, by which it is told from a foreign one. */
const emailOf = (name: string) => `${name}@noreply.invalid`;

/**
 * @param purpose what the home's account is for
 * @throws GiteaError for a foreign account: its password and rights stay
 */
async function checkAccount(gitea: Gitea, account: Account, purpose: string): Promise<void> {
    const existing = await gitea.find<{ email: string }>(`/users/${account.name}`);
    if (existing !== undefined && existing.email !== emailOf(account.name)) {
        throw new GiteaError(
            `The account ${account.name} of Gitea at ${gitea.server} belongs to somebody (${existing.email}), and this home ` +
                `creates an account of that name for ${purpose}: rename it`,
        );
    }
}

/** Creates an account of this home, which has only the rights that somebody grants it, and sets its password. */
async function declareAccount(gitea: Gitea, account: Account): Promise<void> {
    const login = { password: account.password, must_change_password: false };
    if (!(await gitea.find(`/users/${account.name}`))) {
        await gitea.change("POST", "/admin/users", { username: account.name, email: emailOf(account.name), ...login });
    }
    const path = `/admin/users/${account.name}`;
    const identity = { login_name: account.name, source_id: 0 };
    await gitea.change("PATCH", path, {
        ...identity,
        prohibit_login: false,
        restricted: true,
        max_repo_creation: 0,
        allow_create_organization: false,
    });
    const isKnown = (await new Gitea(gitea.server, account, gitea.reached).ask("GET", "/user")).status !== 401;
    if (!isKnown) {
        await gitea.change("PATCH", path, { ...identity, ...login });
    }
}

/** Forbids the login of an account of this home that is no longer used; leaves a foreign account of that name alone. */
async function disableAccount(gitea: Gitea, name: string): Promise<void> {
    const existing = await gitea.find<{ email: string }>(`/users/${name}`);
    if (existing?.email === emailOf(name)) {
        await gitea.change("PATCH", `/admin/users/${name}`, { login_name: name, source_id: 0, prohibit_login: true });
    }
}

/** Protects the branch that the cluster follows from rewriting and deletion. */
async function declareProtection(gitea: Gitea, { owner, name, branch }: Declaration["repository"]): Promise<void> {
    const path = `/repos/${owner}/${name}/branch_protections`;
    const wanted = { enable_push: true, enable_force_push: false };
    const existing = `${path}/${encodeURIComponent(branch)}`;
    if (await gitea.find(existing)) {
        await gitea.change("PATCH", existing, wanted);
    } else {
        await gitea.change("POST", path, { rule_name: branch, ...wanted });
    }
}

async function declareWebhook(gitea: Gitea, { repository, webhook }: Declaration): Promise<void> {
    const path = `/repos/${repository.owner}/${repository.name}/hooks`;
    const hooks = (await gitea.find<{ id: number; config: { url: string } }[]>(`${path}?limit=50`)) ?? [];
    const existing = hooks.find(({ config }) => config.url === webhook.url);
    const wanted = {
        active: true,
        events: ["push"],
        branch_filter: repository.branch,
        config: { url: webhook.url, content_type: "json", secret: webhook.secret },
    };
    if (existing) {
        await gitea.change("PATCH", `${path}/${existing.id}`, wanted);
    } else {
        await gitea.change("POST", path, { type: "gitea", ...wanted });
    }
}

/**
 * Pushes the checkout's commit. Its pre-push hooks are for a person's changes, not for a commit that exists already.
 *
 * @throws GiteaError for a shallow clone, which Gitea rejects
 */
async function push({ server, reached = server, repository, administrator }: Declaration, ref: string): Promise<void> {
    if ((await git(["rev-parse", "--is-shallow-repository"])) === "true") {
        throw new GiteaError(
            "This checkout is a shallow clone, which cannot fill a repository: git fetch --unshallow, then run `pulumi up` " +
                "again",
        );
    }
    const address = `${reached}/${repository.owner}/${repository.name}.git`;
    await git(["push", "--quiet", "--no-verify", address, `HEAD:${ref}`], administrator, { limit: pushLimit });
}

/**
 * Waits until Gitea has processed the first push, which it does after Git's answer.
 *
 * @param limit seconds
 * @throws GiteaError when it does not in time
 */
async function filled(gitea: Gitea, { owner, name }: Declaration["repository"], limit: number): Promise<void> {
    for (const end = Date.now() + limit * 1_000; ; await delay(200)) {
        if ((await gitea.find<{ empty: boolean }>(`/repos/${owner}/${name}`))?.empty === false) {
            return;
        }
        if (Date.now() > end) {
            throw new GiteaError(
                `Gitea at ${gitea.server} still reports ${owner}/${name} as empty, ${limit} s after a push.`,
            );
        }
    }
}

/**
 * Checks an existing repository before any change to it: a foreign one is not made private, nor pushed to.
 *
 * @returns whether it has the branch
 * @throws GiteaError when the repository is not the home's
 */
async function checkContent(gitea: Gitea, { repository, contains, server }: Declaration): Promise<boolean> {
    const { owner, name } = repository;
    const path = `/repos/${owner}/${name}`;
    const existing = await gitea.find<{
        empty: boolean;
        default_branch: string;
        archived?: boolean;
        mirror?: boolean;
    }>(path);
    if (existing?.archived || existing?.mirror) {
        throw new GiteaError(
            `${server}/${owner}/${name} is ${existing.mirror ? "a mirror" : "archived"}, and rejects pushes: ` +
                `${existing.mirror ? "convert it to a regular repository" : "unarchive it"} in its settings, or choose another ` +
                "one by hearth:repository.url.",
        );
    }
    if (existing === undefined || existing.empty) {
        return false;
    }
    const hasBranch = (await gitea.find(`${path}/branches/${repository.branch}`)) !== undefined;
    const branch = hasBranch ? repository.branch : existing.default_branch;
    if (!(await gitea.find(`${path}/contents/${contains}?ref=${encodeURIComponent(branch)}`))) {
        throw new GiteaError(
            `The branch ${branch} of ${server}/${owner}/${name} has no ${contains}: it is not this home's repository. ` +
                "Push the home's commits to it, or choose another one by hearth:repository.url.",
        );
    }
    return hasBranch;
}

/**
 * Creates the repository and everything around it in Gitea, from whatever state Gitea is in: existing objects are kept,
 * and set to the declaration.
 *
 * @throws GiteaError with what Gitea cannot or will not do
 */
export async function declare(declaration: Declaration): Promise<void> {
    const { server, reached, administrator, repository, reader, limit } = declaration;
    const { owner, name } = repository;
    const updater =
        declaration.updater === undefined ? undefined : { name: updaterName, password: declaration.updater };
    const gitea = new Gitea(server, administrator, reached);
    await gitea.ready(
        limit,
        reached === undefined
            ? "hearth:gitea needs an administrator and its password:\n" +
                  "  pulumi config set --secret --path 'hearth:gitea.password'"
            : "It sets the password in the Secret gitops-secrets when it starts:\n" +
                  "  kubectl --namespace gitops rollout restart statefulset/gitea",
    );
    const hasBranch = await checkContent(gitea, declaration);
    await checkAccount(gitea, reader, "Argo CD");
    if (updater) {
        await checkAccount(gitea, updater, "updates at night");
    }
    await declareOrganization(gitea, owner);
    await declareRepository(gitea, repository);
    const { readers } = await declareTeams(gitea, repository);
    await declareAccount(gitea, reader);
    await gitea.change("PUT", `/teams/${readers}/members/${reader.name}`);
    if (updater) {
        await declareAccount(gitea, updater);
        await gitea.change("PUT", `/repos/${owner}/${name}/collaborators/${updater.name}`, { permission: "write" });
    } else {
        await disableAccount(gitea, updaterName);
    }
    await declareWebhook(gitea, declaration);
    if (!hasBranch) {
        await push(declaration, `refs/heads/${repository.branch}`);
        await filled(gitea, repository, limit);
    }
    await declareProtection(gitea, repository);
    await push(declaration, declaration.seed);
}
