import { join } from "node:path";
import { z } from "zod";
import { readStackFile } from "../config/stack-file";
import { Failure } from "../lib/failure";

/** Settings that the sandbox reads from the stack's config, so that each address has one source. */
export interface SandboxSettings {
    /** Port of the Git server, from hearth:repository. */
    readonly gitPort: number;
    /** Path of the repository in its URL, such as hearth/hearth.git. */
    readonly repository: string;
    /** The branch that Argo CD follows. */
    readonly branch: string;
    /** Port of the chart repository, from hearth:charts. */
    readonly chartsPort: number;
    /** Port of Argo CD's API server, from hearth:gitea, where a Gitea has to know it. */
    readonly argocdPort?: number;
    /** Real Gitea that the Pulumi program fills: run by the sandbox as an external server, or by the cluster's pod. */
    readonly gitea?: { readonly administrator: string; readonly password: string } | "in the cluster";
}

const file = "Pulumi.sandbox.yaml";
const loopback = z.url().refine((text) => ["127.0.0.1", "localhost"].includes(new URL(text).hostname), {
    error: "the sandbox serves it on loopback: http://127.0.0.1:<port>/…",
});
const elsewhere = z.looseObject({
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
const own = z.looseObject({
    "hearth:repository": z.looseObject({ revision: z.string().default("main") }).default({ revision: "main" }),
    "hearth:charts": z.looseObject({ repository: loopback }),
    "hearth:gitea": z.looseObject({ address: loopback, webhook: loopback }),
});

function checked<T>(schema: z.ZodType<T>, path: string, config: object): T {
    const { data, error } = schema.safeParse(config);
    if (error) {
        const mistakes = error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
        throw new Failure([`${path} does not describe a sandbox:`, ...mistakes].join("\n"));
    }
    return data;
}

const portOf = (url: string) => Number(new URL(url).port || 80);

/** @throws Failure that names every setting of Pulumi.sandbox.yaml that the sandbox cannot work with */
export function readSandboxSettings(root: string): SandboxSettings {
    const path = join(root, file);
    const { config } = readStackFile(path);
    if (Object(config["hearth:repository"]).url === undefined) {
        const {
            "hearth:repository": repository,
            "hearth:charts": charts,
            "hearth:gitea": gitea,
        } = checked(own, path, config);
        return {
            gitPort: portOf(gitea.address),
            repository: "home/hearth.git",
            branch: repository.revision,
            chartsPort: portOf(charts.repository),
            argocdPort: portOf(gitea.webhook),
            gitea: "in the cluster",
        };
    }
    const {
        "hearth:repository": repository,
        "hearth:charts": charts,
        "hearth:gitea": gitea,
    } = checked(elsewhere, path, config);
    return {
        gitPort: portOf(repository.url),
        repository: new URL(repository.url).pathname.replace(/^\/+/, ""),
        branch: repository.revision,
        chartsPort: portOf(charts.repository),
        ...(gitea && {
            argocdPort: portOf(gitea.webhook),
            gitea: { administrator: gitea.administrator, password: gitea.password },
        }),
    };
}

/** The message for a port in the settings that another program uses. */
export function portInUse(
    port: number,
    setting: "hearth:repository.url" | "hearth:charts.repository" | "hearth:gitea.address",
): Failure {
    return new Failure(
        `port ${port} of 127.0.0.1 is in use by another program. It comes from ${setting} in ${file}: ` +
            `end that program (see \`lsof -i :${port}\`), or choose another port there, and rerun it.`,
    );
}
