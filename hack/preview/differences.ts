import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Application, readApplications } from "../../components/applications";
import { splitYaml, YamlError } from "../../config/yaml";
import { Failure } from "../../lib/failure";
import { temporaryFolder } from "../../lib/temporary-folder";
import { capture } from "../capture";
import { captureGit } from "../git";
import { objectsIn } from "../manifests";
import { render } from "../render";
import type { StackSettings } from "../stack";
import type { Difference } from "./comment";
import { touchedApplications } from "./touched";

/** A commit, checked out to be rendered. */
interface Checkout {
    readonly root: string;
    readonly applications: readonly Application[];
}

async function checkOut(repository: string, commit: string, root: string, cluster: string): Promise<Checkout> {
    mkdirSync(root);
    const archive = `${root}.tar`;
    const failure = `${commit} cannot be read`;
    await captureGit(["-C", repository, "archive", "--output", archive, commit, "charts", "clusters"], { failure });
    await capture("tar", ["--extract", "--file", archive, "--directory", root], { failure });
    return { root, applications: readApplications(root, cluster) };
}

/**
 * The merge base of two branches: later commits of one are no changes of the other.
 *
 * @throws Failure when they have none in common
 */
export async function mergeBase(repository: string, base: string, head: string): Promise<string> {
    const parse = async (failure: string, ...args: string[]) =>
        (await captureGit(["-C", repository, "rev-parse", ...args], { failure })).trim();
    for (const commit of [base, head]) {
        const failure = `this clone has no commit ${commit}: fetch it first (git fetch)`;
        await parse(failure, "--verify", "--quiet", "--end-of-options", `${commit}^{commit}`);
    }
    const isShallow = (await parse(`${repository} cannot be read`, "--is-shallow-repository")) === "true";
    const failure = isShallow
        ? `this clone is shallow, so the merge base of ${base} and ${head} is unknown: fetch its history (git fetch ` +
          "--unshallow; in Actions, checkout with fetch-depth: 0)"
        : `${base} and ${head} have no commit in common`;
    return (await captureGit(["-C", repository, "merge-base", "--end-of-options", base, head], { failure })).trim();
}

/**
 * Manifests without Secrets, and without lists that contain one: an upstream chart may render real values into them.
 */
export function withoutSecrets(manifests: string): string {
    try {
        return splitYaml(manifests)
            .filter(({ value }) => !hasSecret(value))
            .map(({ text }) => text)
            .join("");
    } catch (error) {
        // Unreadable output cannot be searched for Secrets either.
        throw error instanceof YamlError ? new Failure(`the rendered chart: ${error.message}`) : error;
    }
}

/** Reports whether a document is a Secret, or a list with one in it. */
const hasSecret = (document: unknown) =>
    [document, ...objectsIn(document)].some((each) => /^secret(list)?$/i.test(String(Object(each).kind)));

async function manifestsOf(name: string, { root, applications }: Checkout, settings: StackSettings): Promise<string> {
    const application = applications.find((each) => each.name === name);
    return application ? withoutSecrets(await render(root, application, settings)) : "";
}

/** Files that differ between two commits, as paths from the repository's top folder. */
export async function changedFiles(repository: string, base: string, head: string): Promise<string[]> {
    const args = ["-C", repository, "diff", "--name-only", "-z", "--no-renames", base, head];
    return (await captureGit(args, { failure: "git cannot compare" })).split("\0").filter(Boolean);
}

/**
 * Differences that a change makes in the manifests that Argo CD would apply.
 *
 * @param repository folder of a Git repository with both commits
 * @param base the commit that the change starts from
 * @param head the commit that it ends with
 * @returns the Applications that it touches, by name
 * @throws Failure when a commit cannot be read, or an Application manifest has mistakes
 */
export async function differences(
    repository: string,
    base: string,
    head: string,
    settings: StackSettings,
): Promise<Difference[]> {
    const directory = temporaryFolder();
    const { cluster } = settings;
    try {
        const start = await mergeBase(repository, base, head);
        const before = await checkOut(repository, start, join(directory, "before"), cluster);
        const after = await checkOut(repository, head, join(directory, "after"), cluster);
        const applications = [...before.applications, ...after.applications];
        const touched = touchedApplications(cluster, applications, await changedFiles(repository, start, head));
        const result: Difference[] = [];
        for (const name of touched) {
            result.push({ name, result: await difference(name, before, after, settings, directory) });
        }
        return result;
    } finally {
        rmSync(directory, { recursive: true, force: true });
    }
}

async function difference(
    name: string,
    before: Checkout,
    after: Checkout,
    settings: StackSettings,
    directory: string,
): Promise<Difference["result"]> {
    try {
        writeFileSync(join(directory, "base.yaml"), await manifestsOf(name, before, settings));
        writeFileSync(join(directory, "head.yaml"), await manifestsOf(name, after, settings));
    } catch (error) {
        return { failure: (error instanceof Error ? error.message : String(error)).replaceAll(directory, "") };
    }
    return { diff: await unifiedDiff(directory, "base.yaml", "head.yaml") };
}

/** A unified diff of two files in a folder, without their temporary names; empty when they are equal. */
export async function unifiedDiff(directory: string, before: string, after: string): Promise<string> {
    const args = ["-C", directory, "diff", "--no-index", "--no-color", "--no-ext-diff", before, after];
    const diff = await captureGit(args, { failure: "git cannot compare", accepted: [1] });
    return diff.slice(Math.max(0, diff.search(/^@@/m)));
}
