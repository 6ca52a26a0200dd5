import { existsSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import { type ClusterFacts, readCluster } from "../components/cluster";
import { isKubeconfigContents, KubeconfigError, kubeconfigPath, readKubeconfig } from "../config/kubeconfig";
import { findMistakes, invalid, quoted } from "../config/mistakes";
import { resolveRepository, type Settings, settingFields } from "../config/schema";
import { checkEncryption, configDescribed, parseValue } from "../config/settings";
import { readStackFile, type StackFile, stackFileName } from "../config/stack-file";
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
        describe: "The Pulumi stack of the cluster; by default the one that `pulumi stack select` chose",
    },
} as const;

const schema = settingFields
    .pick({ cluster: true, domain: true, repository: true, charts: true, context: true })
    .extend({
        // The program reports mistakes in these; a verb continues without them.
        loadBalancer: settingFields.shape.loadBalancer.optional().catch(undefined),
        letsencrypt: settingFields.shape.letsencrypt.catch(undefined),
        // A misspelled export still counts as one: without it, charts with media would not render.
        nfs: settingFields.shape.nfs.catch({ server: "nas.invalid", path: "/" }),
    });

/** Settings that the verbs read from a stack's config: nothing secret. */
export type StackSettings = Pick<Settings, "cluster" | "domain" | "repository" | "charts" | "nfs" | "letsencrypt"> & {
    readonly loadBalancer?: Settings["loadBalancer"] | undefined;
};

/** A stack, as its file in the checkout describes it. */
export interface Stack {
    readonly name: string;
    readonly file: StackFile;
    readonly settings: StackSettings;
    /** The path in hearth:kubeconfig, if it is one in plain text. */
    readonly kubeconfigPath: string | undefined;
    /** The context of the kubeconfig to use, if it has several. */
    readonly context: string | undefined;
    /** True if hearth:kubeconfig is set at all; otherwise the program creates the cluster and knows its kubeconfig. */
    readonly hasKubeconfig: boolean;
}

/** Pulumi's environment, as with npx: npm's installed commands come first, including plugins. */
export function pulumiEnvironment(): NodeJS.ProcessEnv {
    const PATH = [resolve("node_modules/.bin"), process.env["PATH"] ?? ""].join(delimiter);
    return { ...process.env, PATH, PULUMI_SKIP_UPDATE_CHECK: "true" };
}

/**
 * Output of a Pulumi command.
 *
 * @param options `input` for its standard input, `env` in addition to this process's
 * @throws Failure with its output when it fails
 */
export async function pulumiWith(
    args: readonly string[],
    options: Pick<CaptureOptions, "input" | "env">,
): Promise<string> {
    const env = { ...pulumiEnvironment(), ...options.env };
    const failure = `pulumi ${args.join(" ")} failed`;
    return (await capture(tool("pulumi"), [...args, "--non-interactive"], { ...options, env, failure })).trim();
}

/** {@link pulumiWith} without options. */
export async function pulumi(...args: string[]): Promise<string> {
    return pulumiWith(args, {});
}

/** @throws Failure that lists the stacks, when none is chosen */
async function selectedStack(): Promise<string> {
    // A missing CLI has a message of its own.
    tool("pulumi");
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

/** A setting of the stack's file; Pulumi decrypts encrypted parts. */
async function decrypted(stack: string, { config, encrypted }: StackFile, key: string): Promise<unknown> {
    return encrypted.some(([first]) => first === `hearth:${key}`)
        ? parseValue(key, await pulumi("config", "get", `hearth:${key}`, "--stack", stack))
        : config[`hearth:${key}`];
}

/**
 * Reads a stack's file, with the checks of the program.
 *
 * @param given the stack's name; the selected one if undefined
 * @throws Failure when there is no such file, or when required settings are missing
 */
export async function readStack(given: string | undefined): Promise<Stack> {
    const name = given ?? (await selectedStack());
    const file = stackFileName(name);
    if (!/^([\w.-]+\/){0,2}[\w.-]+$/.test(name)) {
        const form = `the name of a stack: ${stackNames().join(", ")}`;
        throw new Failure(invalid("--stack", quoted(name), form), exitCodes.usage);
    }
    if (!existsSync(file)) {
        throw new Failure(`${file} does not exist; stacks here: ${stackNames().join(", ")}`, exitCodes.usage);
    }
    const contents = readStackFile(file);
    const settings = Object.fromEntries(
        Object.entries(contents.config).map(([key, value]) => [key.replace(/^hearth:/, ""), value]),
    );
    const encrypted = new Set(contents.encrypted.map((path) => path.join("\n")));
    checkEncryption(name, settings, ([first = "", ...rest]) => encrypted.has([`hearth:${first}`, ...rest].join("\n")));
    const keys = Object.keys(schema.shape);
    const picked = Object.fromEntries(
        await Promise.all(keys.map(async (key) => [key, await decrypted(name, contents, key)])),
    );
    const { data } = schema.safeParse(picked);
    if (!data) {
        const mistakes = findMistakes(schema, picked, configDescribed).map(({ message }) => `  ${message}`);
        throw new Failure([`Mistakes in ${file}:`, ...mistakes].join("\n"));
    }
    const { context, ...stackSettings } = data;
    const { kubeconfig } = settings;
    return {
        name,
        file: contents,
        settings: { ...stackSettings, repository: resolveRepository(stackSettings) },
        kubeconfigPath:
            typeof kubeconfig === "string" && !isKubeconfigContents(kubeconfig)
                ? kubeconfigPath(kubeconfig)
                : undefined,
        context,
        hasKubeconfig: kubeconfig !== undefined,
    };
}

/** Kubeconfig in hearth:kubeconfig, or that of the cluster that the program built. */
async function givenKubeconfig({ name, kubeconfigPath: path, hasKubeconfig }: Stack): Promise<string> {
    if (path !== undefined) {
        return path;
    }
    const given = hasKubeconfig
        ? pulumi("config", "get", "hearth:kubeconfig", "--stack", name)
        : pulumi("stack", "output", "kubeconfig", "--show-secrets", "--stack", name);
    return `${await given}\n`;
}

/**
 * Calls `use` with the path of the stack's kubeconfig. A secret one is in a temporary file that only this user can
 * read.
 *
 * @throws Failure when there is none yet, or when it cannot be used
 */
export async function withKubeconfig<T>(stack: Stack, use: (path: string) => Promise<T>): Promise<T> {
    const given = await givenKubeconfig(stack);
    let value: string;
    try {
        ({ value } = readKubeconfig(given, { context: stack.context }));
    } catch (error) {
        if (error instanceof KubeconfigError) {
            const isSandbox = stack.name === "sandbox" && stack.kubeconfigPath && !existsSync(stack.kubeconfigPath);
            throw new Failure(`${error.message}${isSandbox ? ": start the sandbox with `npm start`" : ""}`);
        }
        throw error;
    }
    return isKubeconfigContents(value) ? withPrivateFile("kubeconfig", value, use) : use(value);
}

/** Facts about the stack's cluster; undefined if none answers. */
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
