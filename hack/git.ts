import { gitEnvironment } from "../lib/git-environment";
import { type CaptureOptions, capture } from "./capture";

/** Standard output of Git, regardless of the user's settings. @throws Failure as {@link capture} */
export function captureGit(args: readonly string[], options: Omit<CaptureOptions, "env">): Promise<string> {
    return capture("git", args, { ...options, env: gitEnvironment() });
}
