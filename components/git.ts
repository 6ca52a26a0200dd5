import { spawn } from "node:child_process";
import { root } from "../lib/root";

/** Name and password of an account. */
export interface Account {
    readonly name: string;
    readonly password: string;
}

/** Milliseconds for one command of Git. */
const limit = 120_000;

/** Asks for name and password at the file descriptor 3, once: they stand in no argument, environment or file. */
const helper = '!f() { test "$1" = get && cat <&3; }; f';

/**
 * Runs Git in the folder of this program.
 *
 * @param args its arguments
 * @param account for the server that it speaks to; without one, Git's own settings say who the user is there
 * @returns its standard output
 * @throws Error with what Git says
 */
export function git(args: readonly string[], account?: Account): Promise<string> {
    // Pulumi hands this program its config by the environment, secrets included: nobody else needs to see it.
    const { PULUMI_CONFIG: _, ...env } = process.env;
    const credentials = account ? ["-c", "credential.helper=", "-c", `credential.helper=${helper}`] : [];
    return new Promise((resolve, reject) => {
        const child = spawn("git", [...credentials, ...args], {
            cwd: root,
            env: { ...env, GIT_TERMINAL_PROMPT: "0" },
            timeout: limit,
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
            // Git may end without asking.
            asked.on("error", () => {});
            asked.end(account ? `username=${account.name}\npassword=${account.password}\n` : undefined);
        }
        child.once("error", reject);
        child.once("close", (code) =>
            code === 0
                ? resolve(text.stdout.trim())
                : reject(new Error(text.stderr.trim() || `git ended with ${code}`)),
        );
    });
}
