import { spawn } from "node:child_process";
import { Failure } from "../lib/failure";
import { gitEnvironment } from "../lib/git-environment";
import { root } from "../lib/root";

/** Name and password of an account. */
export interface Account {
    readonly name: string;
    readonly password: string;
}

/** Options of a Git command. */
export interface GitOptions {
    /** Limit in seconds. */
    readonly limit?: number;
    /** Working directory; this program's own by default. */
    readonly cwd?: string;
}

/** Reads name and password from the file descriptor 3, once: they are in no argument, environment or file. */
const helper = '!f() { test "$1" = get && cat <&3; }; f';

/**
 * Loopback is reached without a proxy, whatever the environment sets: connections to the home's own Gitea are forwarded
 * to it.
 */
function withoutProxy(given: string | undefined): string {
    return [...(given ? [given] : []), "127.0.0.1", "localhost"].join(",");
}

/**
 * Runs Git in the folder of this program.
 *
 * @param args its arguments
 * @param account for the server; without one, Git's own settings identify the user
 * @returns its standard output
 * @throws Failure with Git's message
 */
export function git(
    args: readonly string[],
    account?: Account,
    { limit = 120, cwd = root }: GitOptions = {},
): Promise<string> {
    // Pulumi passes the config to this program in the environment, including secrets: child processes must not see it.
    const { PULUMI_CONFIG: _, no_proxy: lower, NO_PROXY: upper, ...env } = gitEnvironment();
    const noProxy = withoutProxy(lower ?? upper);
    const credentials = account ? ["-c", "credential.helper=", "-c", `credential.helper=${helper}`] : [];
    return new Promise((resolve, reject) => {
        const child = spawn("git", [...credentials, ...args], {
            cwd,
            env: { ...env, no_proxy: noProxy, NO_PROXY: noProxy },
            stdio: ["ignore", "pipe", "pipe", "pipe"],
        });
        const text = { stdout: "", stderr: "" };
        let isLate = false;
        const timer = setTimeout(() => {
            isLate = true;
            child.kill();
            // A transport process of Git may outlive it and keep its output open.
            for (const stream of child.stdio) {
                stream?.destroy();
            }
        }, limit * 1_000);
        child.stdout?.on("data", (chunk: Buffer) => {
            text.stdout += chunk;
        });
        child.stderr?.on("data", (chunk: Buffer) => {
            text.stderr += chunk;
        });
        const asked = child.stdio[3];
        if (asked && "end" in asked) {
            // Git may end without reading it.
            asked.on("error", () => {});
            asked.end(account ? `username=${account.name}\npassword=${account.password}\n` : undefined);
        }
        child.once("error", (error: NodeJS.ErrnoException) =>
            reject(
                error.code === "ENOENT"
                    ? new Failure("Git is not installed: install it with your system's packages")
                    : error,
            ),
        );
        child.once("close", (code, signal) => {
            clearTimeout(timer);
            const end = isLate
                ? `did not end within ${limit} s`
                : signal === null
                  ? `ended with exit code ${code}`
                  : `was ended by ${signal}`;
            const said = text.stderr.trim();
            if (code === 0) {
                resolve(text.stdout.trim());
            } else {
                reject(new Failure(isLate || said === "" ? `git ${args[0]} ${end}${said && `: ${said}`}` : said));
            }
        });
    });
}

/** Errors that keep Git from resolving the commit of a checkout, each with its remedy. */
const noCommit: readonly (readonly [says: RegExp, what: string])[] = [
    [
        /dubious ownership/,
        "this checkout belongs to another user. Allow it once: git config --global --add safe.directory <its path>",
    ],
    [
        /not a git repository: /i,
        "this checkout is a worktree of a repository that was moved, or is not mounted here: run git worktree repair there",
    ],
    [
        /not a git repository/i,
        "this folder is not a Git repository (an unpacked archive is not one): clone the repository instead " +
            "(or: git init && git add --all && git commit)",
    ],
    [/does not have any commits/, "this repository has no commit yet: git add --all && git commit"],
    [/appears to be broken|bad object|unable to read/, "this repository is damaged (git fsck): clone it again"],
];

/**
 * The commit that is checked out.
 *
 * @param cwd a folder of the checkout
 * @throws Failure with the reason if Argo CD cannot follow any, and the next step
 */
export async function headCommit(cwd?: string): Promise<string> {
    const options = cwd === undefined ? {} : { cwd };
    let head: string;
    let below: string;
    try {
        below = await git(["rev-parse", "--show-prefix"], undefined, options);
        head = await git(["log", "-1", "--format=%H"], undefined, options);
    } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const [, what] = noCommit.find(([says]) => says.test(message)) ?? [];
        throw what === undefined ? error : new Failure(`The commit is unknown: ${what}`);
    }
    if (below !== "") {
        throw new Failure(
            `The commit is unknown: this folder is ${below} of another Git repository, and Argo CD reads charts/ and ` +
                "clusters/ at the top of one: clone this one by itself (or, here: git init && git add --all && git commit)",
        );
    }
    if (head.length !== 40) {
        throw new Failure(
            "This repository has SHA-256 object names, which Argo CD does not read: clone it into one with SHA-1",
        );
    }
    return head;
}

/** Files of charts and clusters that differ from the checkout's commit: Argo CD does not see them as they are here. */
export async function uncommitted(cwd?: string): Promise<string[]> {
    const args = ["status", "--porcelain", "--no-renames", "-z", "--untracked-files=all", "--", "charts", "clusters"];
    const listed = await git(args, undefined, cwd === undefined ? {} : { cwd });
    return listed
        .split("\0")
        .filter(Boolean)
        .map((line) => line.replace(/^\s*\S+\s+/, ""));
}
