import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { capture } from "../../hack/capture";
import { run } from "../../lib/run";
import { tool } from "../../toolchain/tools";

const checkout = join(__dirname, "../..");

/** Writes a file and the folders above it. */
export function write(path: string, text: string): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
}

/** The name and release of an action in a workflow's `uses:`. */
function actionOf(workflow: string, action: string): string {
    const { jobs } = parse(workflow) as { jobs: Record<string, { steps: { uses?: string }[] }> };
    const uses = Object.values(jobs).flatMap(({ steps }) => steps.flatMap((step) => step.uses ?? []));
    const found = uses.find((each) => each.startsWith(`${action}@`));
    if (found === undefined) {
        throw new Error(`the workflow does not use ${action}`);
    }
    return found;
}

/**
 * Runs workflows on this machine with act, on which Gitea's runner is based: the labels of both runners map to this
 * machine.
 */
export class Runner {
    private readonly repositories: readonly string[];

    /**
     * @param directory the runner's home folder @param gitea host and port of Gitea's stand-in
     */
    constructor(
        private readonly directory: string,
        private readonly gitea: string,
    ) {
        const [tsx, standIn] = ["node_modules/tsx/dist/loader.mjs", "test/workflows/stand-ins/docker.ts"];
        const docker = join(directory, "bin/docker");
        write(docker, `#!/bin/sh\nexec node --import ${join(checkout, tsx)} ${join(checkout, standIn)} "$@"\n`);
        chmodSync(docker, 0o755);

        const build = readFileSync(join(checkout, ".gitea/workflows/build.yaml"), "utf8");
        write(join(directory, "hearth/.github/workflows/build.yaml"), build);

        // This machine already has the Go that the action would install.
        const steps = [{ run: "go version", shell: "bash" }];
        const setupGo = { name: "setup-go", runs: { using: "composite", steps } };
        write(join(directory, "setup-go/action.yml"), JSON.stringify(setupGo));

        this.repositories = [
            `home/hearth@main=${join(directory, "hearth")}`,
            `${actionOf(build, "actions/setup-go")}=${join(directory, "setup-go")}`,
        ];
    }

    /**
     * Runs the workflows of a push to a repository.
     *
     * @param repository a Git repository whose workflows are in .gitea/workflows
     * @returns act's exit code (1 when a job failed), and the jobs' output
     */
    async push(repository: string): Promise<{ exitCode: number; output: string }> {
        const { directory, gitea } = this;
        const goCaches = JSON.parse(
            await capture("go", ["env", "-json", "GOMODCACHE", "GOCACHE"], { failure: "Go has no caches" }),
        ) as Record<string, string>;
        const options = [
            ...["--directory", repository, "--workflows", join(repository, ".gitea/workflows")],
            ...["linux-amd64", "linux-arm64"].flatMap((label) => ["--platform", `${label}=-self-hosted`]),
            ...["--github-instance", gitea, "--actor", "someone", "--secret", "REGISTRY_TOKEN=a-token"],
            ...["--action-cache-path", join(directory, "cache"), "--no-cache-server", "--use-new-action-cache"],
            ...this.repositories.flatMap((each) => ["--local-repository", each]),
        ];
        return run(tool("act"), ["push", ...options], {
            env: {
                ...process.env,
                ...goCaches,
                HOME: directory,
                PATH: `${join(directory, "bin")}:${process.env["PATH"]}`,
                XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
            },
        });
    }
}
