import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { invalid, quoted } from "../config/mistakes";
import { Failure } from "../lib/failure";
import { base64 } from "./base64";
import { forcedBack } from "./forced-back";
import { type Account, git, headCommit, uncommitted } from "./git";
import type { GiteaAccess } from "./gitea";
import { throughCluster } from "./gitea/forward";
import { GiteaRepository, seedRefs } from "./gitea-repository";

/** Arguments of {@link GitSource}. */
export interface GitSourceArgs {
    /** HTTP(S) URL of the repository that Argo CD follows. */
    readonly url: string;
    /** The branch to follow. */
    readonly branch: string;
    /** The cluster's folder under clusters/, which the repository has to have. */
    readonly cluster: string;
    /** The cluster, to read the state of its Applications: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig?: pulumi.Input<string>;
    /** Access to the Gitea in which this program declares the repository, if it does. */
    readonly gitea?: GiteaAccess;
}

/** Current state of the repository. */
interface Remote {
    /** Full hash of the commit that Argo CD will see. */
    readonly revision: string;
    /** The ref that records which run filled it. */
    readonly seed?: string;
}

/**
 * The commit that Argo CD will see: the head of the branch, or of this checkout while the repository cannot be reached
 * (a preview before it exists) or has yet to be filled.
 *
 * @throws Failure for a repository that this program does not fill, and that has no such branch
 */
async function readRemote(
    { url, branch, gitea }: GitSourceArgs,
    account: Account | undefined,
    kubeconfig: string | undefined,
): Promise<Remote> {
    const head = await headCommit();
    const [changed, ...others] = await uncommitted();
    if (changed !== undefined) {
        const more = others.length > 0 ? ` and ${others.length} more` : "";
        await pulumi.log.warn(`Not committed, so Argo CD does not see these changes: ${changed}${more}.`);
    }
    const [branchRef, tagRef] = [`refs/heads/${branch}`, `refs/tags/${branch}`];
    const list = (from: string) => git(["ls-remote", from, branchRef, tagRef, `${seedRefs}*`], account);
    let refs: string;
    try {
        refs =
            kubeconfig === undefined
                ? await list(url)
                : await throughCluster(kubeconfig, (reached) => list(reached + new URL(url).pathname));
    } catch (error) {
        if (!pulumi.runtime.isDryRun() && !gitea) {
            const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
            await pulumi.log.warn(
                `${url} cannot be read from here (${quoted(reason.replace(/^fatal: /, ""))}): the Applications are waited for ` +
                    `at this checkout's commit, ${head.slice(0, 7)}.`,
            );
        }
        return { revision: head };
    }
    const hashes = new Map(refs.split("\n").map((line) => line.split("\t").reverse() as [ref: string, hash: string]));
    const remote = hashes.get(branchRef);
    if (remote === undefined && hashes.has(tagRef)) {
        throw new Failure(invalid("hearth:repository.revision", quoted(branch), `a branch: it is a tag of ${url}`));
    }
    if (remote === undefined && !gitea) {
        throw new Failure(
            `${url} has no branch ${branch}: push it (git push ${url} HEAD:${branch}), or set hearth:repository.revision to ` +
                "a branch that it has",
        );
    }
    if (remote === undefined) {
        return { revision: head };
    }
    if (remote !== head) {
        await pulumi.log.warn(
            `This checkout is at ${head.slice(0, 7)}, ${branch} at ${remote.slice(0, 7)}: the Applications are ` +
                `waited for at ${remote.slice(0, 7)}. Push or pull first if that is not what you want.`,
        );
    }
    const seed = [...hashes.keys()].find((ref) => ref?.startsWith(seedRefs));
    return { revision: remote, ...(seed !== undefined && { seed }) };
}

/** The Git repository that Argo CD follows, declared in Argo CD, with the secret that signs its push notifications. */
export class GitSource extends pulumi.ComponentResource {
    /** Full hash of the commit that every Application has to be on. */
    readonly revision: pulumi.Output<string>;

    /** A change restarts the gates' waits: see {@link forcedBack}. */
    readonly forcedBack: pulumi.Output<string | undefined>;

    /** Time (ISO 8601) at which the webhook was last declared; undefined when it is managed elsewhere. */
    readonly declared: pulumi.Output<string> | undefined;

    constructor(name: string, args: GitSourceArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:GitSource", name, { url: args.url, branch: args.branch }, opts);
        const { url, branch, cluster, gitea } = args;
        const remote = pulumi.unsecret(
            pulumi
                .all([gitea?.administrator, gitea?.own?.kubeconfig])
                .apply(([administrator, kubeconfig]) => readRemote(args, administrator, kubeconfig)),
        );
        const webhookSecret = new random.RandomPassword(
            `${name}-webhook`,
            { length: 40, special: false },
            { parent: this, additionalSecretOutputs: ["result"] },
        ).result;
        // Argo CD's own Secret refers to it (webhook.gogs.secret in its values).
        const webhook = new kubernetes.core.v1.Secret(
            `${name}-webhook`,
            {
                metadata: {
                    name: "git-webhook",
                    namespace: "argocd",
                    labels: { "app.kubernetes.io/part-of": "argocd" },
                },
                data: { secret: pulumi.secret(webhookSecret.apply(base64)) },
            },
            { parent: this },
        );
        const repository =
            gitea &&
            new GiteaRepository(
                `${name}-gitea`,
                {
                    url,
                    branch,
                    gitea,
                    webhookSecret,
                    contains: `clusters/${cluster}/kustomization.yaml`,
                    seed: remote.apply(({ seed }) => seed),
                },
                { parent: this, dependsOn: webhook },
            );
        const reader = repository && {
            username: repository.reader.apply((account) => base64(account.name)),
            password: repository.reader.apply((account) => base64(account.password)),
        };
        new kubernetes.core.v1.Secret(
            name,
            {
                metadata: {
                    name: "home-repository",
                    namespace: "argocd",
                    labels: { "argocd.argoproj.io/secret-type": "repository" },
                },
                data: {
                    type: base64("git"),
                    url: base64(url),
                    // A request to a proxy contains the whole URL, and Gitea accepts its own: the home's name then
                    // needs neither DNS nor a certificate inside the cluster.
                    ...(gitea?.own && { proxy: base64(gitea.own.address) }),
                    ...reader,
                },
            },
            { parent: this },
        );
        this.revision = remote.apply(({ revision }) => revision);
        this.forcedBack = pulumi.unsecret(
            pulumi
                .all([args.kubeconfig, this.revision])
                .apply(async ([kubeconfig, revision]) => kubeconfig && forcedBack(kubeconfig, revision)),
        );
        this.declared = repository?.declared;
        this.registerOutputs({ revision: this.revision });
    }
}
