/** Variables that lead Git elsewhere than to the folder it runs in: hooks, aliases and `git rebase --exec` set them. */
const elsewhere = [
    ...["GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE"],
    ...["GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE"],
];

/** User settings that would change or block what a program reads from Git. */
const settings: Readonly<Record<string, string>> = {
    // Hooks are for manual changes.
    "core.hooksPath": "/dev/null",
    "log.showSignature": "false",
    "push.followTags": "false",
    "push.gpgSign": "false",
    "push.recurseSubmodules": "no",
};

/** An environment in which Git reads the folder it is started in. */
export function inThisFolder(given: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
    return Object.fromEntries(Object.entries(given).filter(([name]) => !elsewhere.includes(name)));
}

/**
 * Environment for Git as this program runs it: it reads the folder it is started in, prompts nobody, runs no hook, and
 * prints what a program can read. Login, proxy and certificates stay the user's.
 */
export function gitEnvironment(given: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
    const env = inThisFolder(given);
    const count = Number(env["GIT_CONFIG_COUNT"] ?? 0) || 0;
    const added = Object.entries(settings).flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${count + index}`, key],
        [`GIT_CONFIG_VALUE_${count + index}`, value],
    ]);
    return {
        ...env,
        ...Object.fromEntries(added),
        GIT_CONFIG_COUNT: `${count + Object.keys(settings).length}`,
        // An editor's own dialog is a prompt too; an empty one is none.
        GIT_ASKPASS: "",
        GIT_LFS_SKIP_SMUDGE: "1",
        GIT_OPTIONAL_LOCKS: "0",
        GIT_SSH_COMMAND: env["GIT_SSH_COMMAND"] ?? "ssh -o BatchMode=yes",
        GIT_TERMINAL_PROMPT: "0",
        LC_ALL: "C",
    };
}
