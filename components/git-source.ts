import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

const run = promisify(execFile);

/** Arguments of {@link GitSource}. */
export interface GitSourceArgs {
    /** HTTP(S) URL of the repository that Argo CD follows. */
    readonly url: string;
    /** The branch to follow. */
    readonly branch: string;
}

async function git(...args: string[]): Promise<string> {
    // Pulumi hands this program its config by the environment, secrets included: nobody else needs to see it.
    const { PULUMI_CONFIG: _, ...env } = process.env;
    const { stdout } = await run("git", args, {
        cwd: __dirname,
        timeout: 15_000,
        env: { ...env, GIT_TERMINAL_PROMPT: "0" },
    });
    return stdout.trim();
}

/**
 * The commit that Argo CD will see: the head of the branch, or of this checkout while the repository cannot be reached
 * (a preview before it exists).
 */
async function pushedRevision({ url, branch }: GitSourceArgs): Promise<string> {
    const head = await git("rev-parse", "HEAD");
    try {
        const remote = (await git("ls-remote", "--exit-code", url, `refs/heads/${branch}`)).split("\t")[0] ?? "";
        if (remote !== head) {
            await pulumi.log.warn(
                `This checkout is at ${head.slice(0, 7)}, ${branch} at ${remote.slice(0, 7)}: the Applications are ` +
                    `waited for at ${remote.slice(0, 7)}. Push or pull first if that is not what you want.`,
            );
        }
        return remote;
    } catch {
        if (!pulumi.runtime.isDryRun()) {
            await pulumi.log.warn(
                `${url} has no branch ${branch} or cannot be reached from here: the Applications are waited for at ` +
                    `this checkout's commit, ${head.slice(0, 7)}.`,
            );
        }
        return head;
    }
}

/** The Git repository that Argo CD follows, made known to Argo CD. */
export class GitSource extends pulumi.ComponentResource {
    /** Full hash of the commit that every Application has to be on. */
    readonly revision: pulumi.Output<string>;

    constructor(name: string, args: GitSourceArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:GitSource", name, { url: args.url, branch: args.branch }, opts);
        new kubernetes.core.v1.Secret(
            name,
            {
                metadata: {
                    name: "home-repository",
                    namespace: "argocd",
                    labels: { "argocd.argoproj.io/secret-type": "repository" },
                },
                data: {
                    type: Buffer.from("git").toString("base64"),
                    url: Buffer.from(args.url).toString("base64"),
                },
            },
            { parent: this },
        );
        this.revision = pulumi.output(pushedRevision(args));
        this.registerOutputs({ revision: this.revision });
    }
}
