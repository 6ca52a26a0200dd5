import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Application, readApplications } from "../../components/applications";
import { missingIn } from "../../components/named-things";
import { type ClusterValues, clusterValues } from "../../components/overrides";
import { root } from "../../lib/root";
import { temporaryFolder } from "../../lib/temporary-folder";
import { tool } from "../../toolchain/tools";
import { chartNames, findApplication } from "../application";
import { capture } from "../capture";
import { colors } from "../colors";
import { captureGit } from "../git";
import { asArgoCD, asStream, byNamespace, isHook, parseManifests, tracked } from "../manifests";
import { page } from "../pager";
import { render } from "../render";
import { clusterFacts, readStack, type Stack, stackOption, withKubeconfig } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** Highlights keys and comments without changing the text. */
function highlight(yaml: string): string {
    return yaml
        .replace(/^( *(?:- )?)([\w./-]+)(?=:(?: |$))/gm, (_, indent: string, key: string) => indent + colors.cyan(key))
        .replace(/^([ \t]*#.*)$/gm, (comment) => colors.dim(comment));
}

/** Colors removed and added lines of a unified diff. */
function highlightDifference(difference: string): string {
    return difference
        .replace(/^\+.*$/gm, (line) => colors.green(line))
        .replace(/^-.*$/gm, (line) => colors.red(line))
        .replace(/^@@.*$/gm, (line) => colors.cyan(line));
}

async function differenceToCluster(application: Application, manifests: string, stack: Stack): Promise<string> {
    const kept = parseManifests(manifests).filter((each) => !isHook(each));
    return withKubeconfig(stack, async (kubeconfig) => {
        const differences: string[] = [];
        for (const [namespace, objects] of byNamespace(kept, application.namespace)) {
            const args = ["--kubeconfig", kubeconfig, "diff", ...asArgoCD, "--namespace", namespace, "--filename", "-"];
            const difference = await capture(tool("kubectl"), args, {
                input: asStream(objects.map((each) => tracked(application, each))),
                failure: "the cluster cannot be compared",
                accepted: [1],
            });
            differences.push(difference);
        }
        return differences.join("");
    });
}

/** Host and path of a repository's URL, which are the same over HTTP and SSH. */
const placeOf = (url: string) =>
    url
        .trim()
        .replace(/^\w+:\/\//, "")
        .replace(/^[^@/]*@/, "")
        .replace(/^([^/:]+)(:\d+)?[:/]/, "$1/")
        .replace(/(?<!\/)\/+$/, "")
        .replace(/\.git$/, "");

/** The branch that Argo CD follows, from the remote repository if that is fetched. */
async function followed({ url, revision }: Stack["settings"]["repository"]): Promise<string> {
    const failure = "the remotes cannot be read";
    const lines = (await captureGit(["remote", "--verbose"], { failure })).split("\n").map((line) => line.split(/\s+/));
    const named = lines.flatMap(([name = "", from = ""]) => (placeOf(from) === placeOf(url) ? name : []));
    for (const remote of [...named, "origin"]) {
        const branch = `refs/remotes/${remote}/${revision}`;
        const isThere = captureGit(["rev-parse", "--verify", "--quiet", branch], { failure }).then(
            () => true,
            () => false,
        );
        if (await isThere) {
            return branch;
        }
    }
    return revision;
}

async function differenceToBranch(
    name: string,
    manifests: string,
    { settings }: Stack,
    cluster: ClusterValues | undefined,
): Promise<string> {
    const directory = temporaryFolder();
    try {
        const branch = await followed(settings.repository);
        const checkout = join(directory, "checkout");
        mkdirSync(checkout);
        const archive = join(directory, "checkout.tar");
        const failure = `${branch} cannot be read`;
        await captureGit(["archive", "--output", archive, branch, "charts", "clusters"], { failure });
        await capture("tar", ["--extract", "--file", archive, "--directory", checkout], { failure });
        const application = findApplication(checkout, settings.cluster, name);
        const before = await render(checkout, application, settings, cluster);
        writeFileSync(join(directory, "before.yaml"), before);
        writeFileSync(join(directory, "after.yaml"), manifests);
        const args = [
            "-C",
            directory,
            "diff",
            "--no-index",
            "--no-color",
            "--no-ext-diff",
            "before.yaml",
            "after.yaml",
        ];
        return await captureGit(args, { failure: "git cannot compare", accepted: [1] });
    } finally {
        rmSync(directory, { recursive: true, force: true });
    }
}

/** `hack/template` */
export const verb = defineVerb({
    parameters: "<chart>",
    describe: "Print the manifests of a chart of this checkout, or their difference",
    candidates: chartNames,
    options: (parser) =>
        parser
            .positional("chart", { type: "string", demandOption: true, describe: "Name of a folder under charts/" })
            .options({
                ...stackOption,
                diff: {
                    type: "string",
                    choices: ["cluster", "main"] as const,
                    coerce: (value: string | undefined) => (value === "" ? "cluster" : value),
                    describe: "Show the difference from the cluster, or from the branch that Argo CD follows",
                },
            }),
    examples: [
        ["$0 jellyfin", "the manifests"],
        ["$0 jellyfin --diff", "changes to the cluster if you install it now"],
        ["$0 jellyfin --diff main", "changes by a commit"],
    ],
    run: async ({ chart, stack: name, diff }) => {
        const stack = await readStack(name);
        const application = findApplication(root, stack.settings.cluster, chart);
        const facts = await clusterFacts(stack);
        const cluster = clusterValues(root, stack.settings, readApplications(root, stack.settings.cluster), facts);
        const manifests = await render(root, application, stack.settings, cluster);
        for (const missing of facts ? missingIn(root, application, facts) : []) {
            process.stderr.write(`${colors.yellow("warning:")} ${missing}\n`);
        }
        if (diff === undefined) {
            await page(highlight(manifests));
        } else {
            const difference =
                diff === "cluster"
                    ? differenceToCluster(application, manifests, stack)
                    : differenceToBranch(chart, manifests, stack, cluster);
            await page(highlightDifference(await difference));
        }
        return exitCodes.done;
    },
});
