import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../lib/failure";
import { inThisFolder } from "../lib/git-environment";
import { type Outcome, run } from "../lib/run";
import type { SandboxPaths } from "./paths";
import type { SandboxSettings } from "./settings";

/** The folder of the bare repository that the sandbox serves. */
function bareRepository(paths: SandboxPaths, { repository }: SandboxSettings): string {
    return join(paths.git, repository);
}

/** Git without the settings of the user, which the sandbox must not depend on. */
export function gitEnvironment(): NodeJS.ProcessEnv {
    return {
        ...inThisFolder(),
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_CONFIG_NOSYSTEM: "1",
        // Allows a checkout that belongs to another user, as in a container.
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "safe.directory",
        GIT_CONFIG_VALUE_0: "*",
        GIT_TERMINAL_PROMPT: "0",
    };
}

function git(directory: string, ...args: string[]): Promise<Outcome> {
    return run("git", ["-C", directory, ...args], { env: gitEnvironment(), timeout: 120_000 });
}

/** Rejects pushes that would lose commits of the branch that Argo CD follows; other branches are not restricted. */
const updateHook = (branch: string) => `#!/bin/sh
[ "$1" = "refs/heads/${branch}" ] || exit 0
case $2 in *[!0]*) ;; *) exit 0 ;; esac
git merge-base --is-ancestor "$2" "$3" 2> /dev/null && exit 0
echo "${branch} only moves forward: pull first, then push." >&2
exit 1
`;

/** Creates the bare repository, or repairs the settings of the existing one. */
async function prepareRepository(bare: string, branch: string): Promise<void> {
    mkdirSync(bare, { recursive: true });
    // A lock of Git outlives a killed process. Nothing else writes here while the sandbox starts.
    for (const file of readdirSync(bare, { recursive: true, encoding: "utf8" })) {
        if (file.endsWith(".lock")) {
            rmSync(join(bare, file), { force: true });
        }
    }
    const init = await git(bare, "init", "--quiet", "--bare", `--initial-branch=${branch}`, ".");
    const steps = [
        init,
        await git(bare, "symbolic-ref", "HEAD", `refs/heads/${branch}`),
        await git(bare, "config", "http.receivepack", "true"),
        // Background processes would outlive the sandbox.
        await git(bare, "config", "gc.auto", "0"),
        await git(bare, "config", "receive.autogc", "false"),
    ];
    const failed = steps.find(({ exitCode }) => exitCode !== 0);
    if (failed) {
        throw new Error(failed.output.trim());
    }
    mkdirSync(join(bare, "hooks"), { recursive: true });
    writeFileSync(join(bare, "hooks", "update"), updateHook(branch), { mode: 0o755 });
}

/** Outcome of a push. */
export interface Push {
    /** Full hash of the commit that the sandbox's branch is on. */
    readonly revision: string;
    /** Notes for the user, a line each. */
    readonly notes: readonly string[];
}

/**
 * Pushes the checkout's commit to the branch that Argo CD follows.
 *
 * The sandbox mirrors the checkout: if its branch has commits that are not in the checkout (an amended commit, another
 * branch), it is reset to the checkout's, and the former head is kept under refs/replaced/.
 *
 * @throws Failure when the checkout has no commit
 */
export async function pushCheckout(paths: SandboxPaths, settings: SandboxSettings): Promise<Push> {
    const { branch } = settings;
    const head = await git(paths.root, "rev-parse", "--verify", "HEAD^{commit}");
    if (head.exitCode !== 0) {
        throw new Failure(`${paths.root} has no commit to deploy: ${head.output.trim()}`);
    }
    const revision = head.output.trim();
    const notes: string[] = [];
    const bare = bareRepository(paths, settings);
    const fetchInto = async () => {
        await prepareRepository(bare, branch);
        const outcome = await git(bare, "fetch", "--quiet", "--no-tags", "--update-shallow", paths.root, "HEAD");
        if (outcome.exitCode !== 0) {
            throw new Error(outcome.output.trim());
        }
    };
    try {
        await fetchInto();
    } catch (error) {
        if (!existsSync(bare)) {
            throw error;
        }
        // An interrupted or damaged repository can be refilled from the checkout.
        rmSync(bare, { recursive: true, force: true });
        await fetchInto();
    }
    const former = await git(bare, "rev-parse", "--quiet", "--verify", `refs/heads/${branch}`);
    if (former.exitCode === 0 && former.output.trim() !== revision) {
        const old = former.output.trim();
        if ((await git(bare, "merge-base", "--is-ancestor", old, revision)).exitCode !== 0) {
            await git(bare, "update-ref", `refs/replaced/${old}`, old);
            notes.push(
                `The sandbox's ${branch} was at ${old.slice(0, 7)}, which this checkout's HEAD does not contain: it now ` +
                    `follows the checkout. The former commit is kept as refs/replaced/${old.slice(0, 7)}….`,
            );
        }
    }
    const update = await git(bare, "update-ref", `refs/heads/${branch}`, revision);
    if (update.exitCode !== 0) {
        throw new Error(update.output.trim());
    }
    const status = await git(paths.root, "status", "--porcelain");
    if (status.output.trim() !== "") {
        const count = status.output.trim().split("\n").length;
        notes.push(
            `${count} uncommitted ${count === 1 ? "change" : "changes"} in the work tree: charts are deployed as ` +
                `committed (${revision.slice(0, 7)}); the Pulumi program runs as it is on disk.`,
        );
    }
    return { revision, notes };
}
