import { spawn } from "node:child_process";

import { Failure } from "../lib/failure";

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
    // Pulumi hands this program its config by the environment, secrets included: nobody else needs to see it.
    const { PULUMI_CONFIG: _, no_proxy: lower, NO_PROXY: upper, ...env } = process.env;
    const noProxy = withoutProxy(lower ?? upper);
    const credentials = account ? ["-c", "credential.helper=", "-c", `credential.helper=${helper}`] : [];
    return new Promise((resolve, reject) => {
        const child = spawn("git", [...credentials, ...args], {
            cwd,
            env: { ...env, no_proxy: noProxy, NO_PROXY: noProxy, GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" },
            timeout: limit * 1_000,
            stdio: ["ignore", "pipe", "pipe", "pipe"],
        });
        const text = { stdout: "", stderr: "" };
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
        child.once("close", (code, signal) =>
            code === 0
                ? resolve(text.stdout.trim())
                : reject(
                      new Failure(
                          text.stderr.trim() ||
                              (signal === null
                                  ? `git ${args[0]} ended with exit code ${code}`
                                  : `git ${args[0]} did not end within ${limit} s`),
                      ),
                  ),
        );
    });
}

/** Errors that keep Git from naming the commit of a checkout, each with its remedy. */
const noCommit: readonly (readonly [says: RegExp, what: string])[] = [
    [
        /dubious ownership/,
        "this checkout belongs to another user. Allow it once: git config --global --add safe.directory <its path>",
    ],
    [
        /not a git repository/i,
        "this folder is no Git repository, as an unpacked archive is none: clone the repository instead " +
            "(or: git init && git add --all && git commit)",
    ],
    [/HEAD|single revision/, "this repository has no commit yet: git add --all && git commit"],
];

/**
 * The commit that is checked out.
 *
 * @param cwd a folder of the checkout
 * @throws Failure that says why there is none, and what to do
 */
export async function headCommit(cwd?: string): Promise<string> {
    try {
        return await git(["rev-parse", "--verify", "HEAD"], undefined, cwd === undefined ? {} : { cwd });
    } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const [, what] = noCommit.find(([says]) => says.test(message)) ?? [];
        throw what === undefined ? error : new Failure(`The commit is not known: ${what}`);
    }
}
