import { join } from "node:path";
import { z } from "zod";
import { readStackFile } from "../config/stack-file";
import { Failure } from "../toolchain/failure";

/** What the sandbox takes from the stack's config, so that each address stands in one place. */
export interface SandboxSettings {
    /** Port of the Git server, from hearth:repository. */
    readonly gitPort: number;
    /** Path of the repository in its URL, such as hearth/hearth.git. */
    readonly repository: string;
    /** The branch that Argo CD follows. */
    readonly branch: string;
    /** Port of the chart repository, from hearth:charts. */
    readonly chartsPort: number;
    /** From hearth:gitea: the repository is on a real Gitea, which the Pulumi program fills. */
    readonly gitea?: {
        readonly administrator: string;
        readonly password: string;
        /** Port of Argo CD's API server, which takes the webhook. */
        readonly argocdPort: number;
    };
}

const file = "Pulumi.sandbox.yaml";
const loopback = z.url().refine((text) => ["127.0.0.1", "localhost"].includes(new URL(text).hostname), {
    error: "the sandbox serves it on loopback: http://127.0.0.1:<port>/…",
});
const schema = z.looseObject({
    "hearth:repository": z.looseObject({ url: loopback, revision: z.string() }),
    "hearth:charts": z.looseObject({ repository: loopback }),
    "hearth:gitea": z
        .looseObject({
            administrator: z.string().default("hearth"),
            password: z.string({ error: "the sandbox's Gitea is made with it: in plain text" }),
            webhook: loopback,
        })
        .optional(),
});

/** @throws Failure that names every setting of Pulumi.sandbox.yaml that the sandbox cannot work with */
export function readSandboxSettings(root: string): SandboxSettings {
    const { data, error } = schema.safeParse(readStackFile(join(root, file)).config);
    if (!data) {
        const mistakes = error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
        throw new Failure([`${join(root, file)} does not describe a sandbox:`, ...mistakes].join("\n"));
    }
    const repository = new URL(data["hearth:repository"].url);
    const charts = new URL(data["hearth:charts"].repository);
    const gitea = data["hearth:gitea"];
    return {
        gitPort: Number(repository.port || 80),
        repository: repository.pathname.replace(/^\/+/, ""),
        branch: data["hearth:repository"].revision,
        chartsPort: Number(charts.port || 80),
        ...(gitea && {
            gitea: {
                administrator: gitea.administrator,
                password: gitea.password,
                argocdPort: Number(new URL(gitea.webhook).port || 80),
            },
        }),
    };
}

/** The message for a port of the settings that somebody else listens on. */
export function portInUse(port: number, setting: "hearth:repository.url" | "hearth:charts.repository"): Failure {
    return new Failure(
        `port ${port} of 127.0.0.1 is in use by another program. It comes from ${setting} in ${file}: ` +
            `end that program (see \`lsof -i :${port}\`), or choose another port there, and run it again.`,
    );
}
