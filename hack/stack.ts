import { existsSync } from "node:fs";
import { delimiter, relative, resolve } from "node:path";
import { type ClusterFacts, readCluster } from "../components/cluster";
import { resolveRepository, type Settings, settingFields } from "../config/schema";
import { readStackFile, type StackFile } from "../config/stack-file";
import { Failure } from "../lib/failure";
import { tool } from "../toolchain/tools";
import { type CaptureOptions, capture } from "./capture";
import { withPrivateFile } from "./private-file";
import { stackNames } from "./stack-names";
import { exitCodes } from "./verb";

/** The option that every verb about a cluster has. */
export const stackOption = {
    stack: {
        alias: "s",
        type: "string",
        requiresArg: true,
        describe: "The Pulumi stack whose cluster is meant; the one that `pulumi stack select` chose if none is given",
    },
} as const;

const schema = settingFields.pick({ cluster: true, domain: true, repository: true, charts: true });

/** What the verbs take from a stack's config: nothing that is secret. */
export type StackSettings = Pick<Settings, "cluster" | "domain" | "repository" | "charts">;

/** A stack, as its file in the checkout describes it. */
export interface Stack {
    readonly name: string;
    readonly file: StackFile;
    readonly settings: StackSettings;
    /** The value of hearth:kubeconfig if it stands there in plain text. */
    readonly kubeconfigPath: string | undefined;
    /** Whether hearth:kubeconfig is there at all; without it, the program makes the cluster and knows its kubeconfig. */
    readonly hasKubeconfig: boolean;
}

/** Pulumi's environment, as npx has it: what npm has installed is found first, plugins too. */
export function pulumiEnvironment(): NodeJS.ProcessEnv {
    const PATH = [resolve("node_modules/.bin"), process.env["PATH"] ?? ""].join(delimiter);
    return { ...process.env, PATH, PULUMI_SKIP_UPDATE_CHECK: "true" };
}

/**
 * What a command of Pulumi prints.
 *
 * @param options `input` is what it reads from standard input, `env` stands beside our environment
 * @throws Failure with what it said when it fails
 */
export async function pulumiWith(
    args: readonly string[],
    options: Pick<CaptureOptions, "input" | "env">,
): Promise<string> {
    const env = { ...pulumiEnvironment(), ...options.env };
    const failure = `pulumi ${args.join(" ")} failed`;
    return (await capture(tool("pulumi"), [...args, "--non-interactive"], { ...options, env, failure })).trim();
}

/** {@link pulumiWith} of nothing but arguments. */
export async function pulumi(...args: string[]): Promise<string> {
    return pulumiWith(args, {});
}

/** @throws Failure that lists the stacks, when none is chosen */
async function selectedStack(): Promise<string> {
    try {
        return await pulumi("stack", "--show-name");
    } catch {
        throw new Failure(
            `no stack is selected: name one with --stack (${stackNames().join(", ")}), or choose it once with ` +
                "`npx pulumi stack select`",
            exitCodes.usage,
        );
    }
}

/**
 * Reads a stack's file.
 *
 * @param given the stack's name; the selected one if undefined
 * @throws Failure when there is no such file, or when it does not say what the verbs need
 */
export async function readStack(given: string | undefined): Promise<Stack> {
    const name = given ?? (await selectedStack());
    const file = `Pulumi.${name}.yaml`;
    if (!existsSync(file)) {
        throw new Failure(`${file} is not there; stacks here: ${stackNames().join(", ")}`, exitCodes.usage);
    }
    const contents = readStackFile(file);
    const value = (key: string) => contents.config[`hearth:${key}`];
    const picked = Object.fromEntries(Object.keys(schema.shape).map((key) => [key, value(key)]));
    const { data, error } = schema.safeParse(picked);
    if (!data) {
        const mistakes = error.issues.map((issue) => `  hearth:${issue.path.join(".")}: accepted: ${issue.message}`);
        throw new Failure([`Mistakes in ${file}:`, ...mistakes].join("\n"));
    }
    const kubeconfig = value("kubeconfig");
    return {
        name,
        file: contents,
        settings: { ...data, repository: resolveRepository(data) },
        kubeconfigPath: typeof kubeconfig === "string" ? resolve(kubeconfig) : undefined,
        hasKubeconfig: kubeconfig !== undefined,
    };
}

/**
 * Calls `use` with the path of the stack's kubeconfig. One that is secret is in a file for that long, which nobody else
 * can read.
 *
 * @throws Failure when there is none yet
 */
export async function withKubeconfig<T>(stack: Stack, use: (path: string) => Promise<T>): Promise<T> {
    if (stack.kubeconfigPath !== undefined) {
        if (!existsSync(stack.kubeconfigPath)) {
            throw new Failure(
                `${relative(".", stack.kubeconfigPath)} is not there, which Pulumi.${stack.name}.yaml names as the kubeconfig: ` +
                    (stack.name === "sandbox" ? "start the sandbox with `npm start`" : "put it there"),
            );
        }
        return use(stack.kubeconfigPath);
    }
    const contents = stack.hasKubeconfig
        ? await pulumi("config", "get", "hearth:kubeconfig", "--stack", stack.name)
        : await pulumi("stack", "output", "kubeconfig", "--show-secrets", "--stack", stack.name);
    return withPrivateFile("kubeconfig", contents, use);
}

/** Facts about the stack's cluster; undefined while there is none that answers. */
export async function clusterFacts(stack: Stack): Promise<ClusterFacts | undefined> {
    try {
        return await withKubeconfig(stack, readCluster);
    } catch (error) {
        if (error instanceof Failure) {
            return undefined;
        }
        throw error;
    }
}
