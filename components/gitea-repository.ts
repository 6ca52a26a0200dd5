import { randomUUID } from "node:crypto";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { invalid, quoted } from "../config/mistakes";
import { Failure } from "../lib/failure";
import type { Account } from "./git";
import type { GiteaAccess } from "./gitea";
import { pushLimit } from "./gitea/declare";
import type { Input } from "./gitea/main";

/** Refs under this record which run filled the repository; a repository that was lost has none. */
export const seedRefs = "refs/hearth/seed/";

/** Seconds for Gitea to answer. */
const limit = 300;

/** Seconds for the whole declaration, including the two pushes of a run that fills the repository. */
const longest = limit + 2 * pushLimit + 120;

/** Arguments of {@link GiteaRepository}. */
export interface GiteaRepositoryArgs {
    /** HTTP(S) URL of the repository: Gitea's address, organization and name. */
    readonly url: string;
    /** The branch that Argo CD follows. */
    readonly branch: string;
    /** The Gitea, and the account that declares everything in it. */
    readonly gitea: GiteaAccess;
    /** Key that signs messages to the webhook. */
    readonly webhookSecret: pulumi.Input<string>;
    /** A path that a repository of this home has. */
    readonly contains: string;
    /** The ref of {@link seedRefs} that the repository has now; undefined when it has to be filled, or refilled. */
    readonly seed: pulumi.Input<string | undefined>;
}

/**
 * The home's repository in Gitea: organization, teams and their rights, an account for Argo CD that can only read, a
 * main branch that only moves forward, and a webhook; filled with this checkout's commit when it is empty.
 * https://docs.gitea.com
 */
export class GiteaRepository extends pulumi.ComponentResource {
    /** The account that Argo CD reads the repository as. */
    readonly reader: pulumi.Output<Account>;

    /** Time (ISO 8601) of the last declaration. */
    readonly declared: pulumi.Output<string>;

    constructor(name: string, args: GiteaRepositoryArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:GiteaRepository", name, {}, opts);
        const { owner, repository, server } = locate(args.url);
        const password = new random.RandomPassword(
            `${name}-reader`,
            { length: 32, special: false },
            { parent: this, additionalSecretOutputs: ["result"] },
        ).result;
        const { branch, contains, gitea } = args;
        const declared = new command.local.Command(
            name,
            {
                create: "node dist/gitea.cjs",
                stdin: pulumi.secret(
                    pulumi
                        .all([
                            password,
                            args.webhookSecret,
                            args.seed,
                            gitea.administrator,
                            gitea.own?.kubeconfig,
                            gitea.own?.updater,
                        ])
                        .apply(([readerPassword, webhookSecret, seed, administrator, kubeconfig, updater]) => {
                            const input: Input = {
                                server,
                                repository: { owner, name: repository, branch },
                                administrator,
                                reader: { name: "argocd", password: readerPassword },
                                webhook: { url: gitea.webhook, secret: webhookSecret },
                                contains,
                                // Pulumi skips an update with the same input, so an emptied repository needs a new
                                // name. A random resource cannot provide it: its keepers would change again once the
                                // repository is filled.
                                seed: seed ?? `${seedRefs}${randomUUID()}`,
                                limit,
                                ...(kubeconfig !== undefined && { kubeconfig }),
                                ...(updater !== undefined && { updater }),
                            };
                            return JSON.stringify(input);
                        }),
                ),
                logging: command.local.Logging.None,
            },
            { parent: this, customTimeouts: { create: `${longest}s`, update: `${longest}s` } },
        );
        // Known only once Gitea knows it too.
        this.reader = pulumi.secret(
            pulumi.all([password, declared.id]).apply(([known]) => ({ name: "argocd", password: known })),
        );
        this.declared = pulumi.unsecret(declared.stdout);
        this.registerOutputs({});
    }
}

/** Parses the URL of a repository: https://git.example.com/home/hearth.git. */
export function locate(url: string): { server: string; owner: string; repository: string } {
    const { origin, pathname } = new URL(url);
    const parts = pathname
        .replace(/\.git$/, "")
        .split("/")
        .filter(Boolean);
    const [owner = "", repository = ""] = parts.slice(-2);
    // Names that Gitea accepts for both, and that need no escaping in a path of its API.
    if (![owner, repository].every((part) => /^[A-Za-z0-9][\w.-]{0,99}$/.test(part))) {
        throw new Failure(
            invalid(
                "hearth:repository.url",
                quoted(url),
                "with hearth:gitea, a URL that names organization and repository, for instance " +
                    "https://git.home.example.com/home/hearth.git",
            ),
        );
    }
    return { server: [origin, ...parts.slice(0, -2)].join("/"), owner, repository };
}
