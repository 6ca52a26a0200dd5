import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Account, git } from "../components/git";
import { Gitea } from "../components/gitea/api";
import { freePorts } from "../lib/ports";
import type { SandboxPaths } from "../sandbox/paths";
import { renderedApplications } from "../sandbox/repo-server-log";
import { deleteSandbox, startSandbox } from "../sandbox/sandbox";
import { homeOf, numbered } from "./copies";
import { type Cost, measure, pulumiUp, selectStack, untilReady } from "./sandbox";

const administrator: Account = { name: "hearth", password: "of the benchmark's Gitea" };

/** Cost of a commit, from the push until every Application that it touches is Synced and Healthy on it. */
export interface Push extends Cost {
    /** Charts that the repo server rendered in that time, including the root Application's kustomization. */
    readonly rendered: number;
}

/** A running home with its own Gitea. */
export class GiteaHome {
    #edits = 0;

    private constructor(
        readonly names: readonly string[],
        readonly directory: string,
        readonly server: string,
        readonly paths: SandboxPaths,
    ) {}

    static async create(count: number): Promise<GiteaHome> {
        const ports = await freePorts("gitea", "charts", "argocd");
        const server = `http://127.0.0.1:${ports.gitea}`;
        const directory = homeOf(count, (text) =>
            text
                .replace(/url: http:\/\/127\.0\.0\.1:\d+\/hearth\//, `url: ${server}/home/`)
                .replace(/(repository: http:\/\/127\.0\.0\.1:)\d+/, `$1${ports.charts}`)
                .replace(
                    /^config:$/m,
                    `$&\n  hearth:gitea:\n    password: ${administrator.password}\n` +
                        `    webhook: http://127.0.0.1:${ports.argocd}/api/webhook`,
                ),
        );
        try {
            const { paths } = await startSandbox(directory);
            await selectStack(directory);
            await pulumiUp(directory);
            const names = Array.from({ length: count }, (_, index) => numbered(index));
            return new GiteaHome(names, directory, server, paths);
        } catch (error) {
            await deleteSandbox(directory);
            rmSync(directory, { recursive: true });
            throw error;
        }
    }

    async remove(): Promise<void> {
        await deleteSandbox(this.directory);
        rmSync(this.directory, { recursive: true });
    }

    /** Reports whether Gitea notifies Argo CD of a push. */
    async report(active: boolean): Promise<void> {
        const gitea = new Gitea(this.server, administrator);
        const hooks = "/repos/home/hearth/hooks";
        for (const { id } of (await gitea.find<{ id: number }[]>(hooks)) ?? []) {
            await gitea.change("PATCH", `${hooks}/${id}`, { active });
        }
    }

    /** Changes one chart, or the library of all charts, pushes the change, and waits until it is in the cluster. */
    async push(what: "chart" | "library"): Promise<Push> {
        this.#edits += 1;
        const [file, change] =
            what === "chart"
                ? [
                      `charts/${numbered(this.names.length - 1)}/values.yaml`,
                      (text: string) => text.replace(/memory: \d+Mi/, `memory: ${128 + this.#edits}Mi`),
                  ]
                : [
                      "charts/common/templates/lib/_names.tpl",
                      (text: string) =>
                          text.replace(
                              /(^app\.kubernetes\.io\/managed-by: .*\n)(hearth\/bench: .*\n)?/m,
                              `$1hearth/bench: "${this.#edits}"\n`,
                          ),
                  ];
        const path = join(this.directory, file);
        const before = readFileSync(path, "utf8");
        const after = change(before);
        if (after === before) {
            throw new Error(`${file} does not have the content that this benchmark expects`);
        }
        writeFileSync(path, after);
        const inHome = (...args: string[]) => git(["-C", this.directory, ...args], administrator);
        const author = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
        await inHome(...author, "commit", "--quiet", "--all", "--message", `bench: ${what} ${this.#edits}`);
        const revision = await inHome("rev-parse", "HEAD");
        const rendered = renderedApplications(this.paths).length;
        const touched = what === "chart" ? this.names.slice(-1) : this.names;
        const cost = await measure(this.paths, async () => {
            await inHome("push", "--quiet", `${this.server}/home/hearth.git`, "main");
            await untilReady(this.paths, touched, revision);
        });
        return { ...cost, rendered: renderedApplications(this.paths).length - rendered };
    }
}
