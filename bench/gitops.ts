import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Account, git } from "../components/git";
import { Gitea } from "../components/gitea/api";
import { formatTable } from "../hack/table";
import type { SandboxPaths } from "../sandbox/paths";
import { freePorts } from "../sandbox/ports";
import { renderedApplications } from "../sandbox/repo-server-log";
import { deleteSandbox, startSandbox } from "../sandbox/sandbox";
import { homeOf, numbered } from "./copies";
import { measureHomes } from "./record";
import { type Cost, measure, pulumiUp, selectStack, untilReady } from "./sandbox";

/**
 * From `git push` until the cluster has converged: `npx tsx bench/gitops.ts [numbers of Applications]`. Homes of so many
 * small services on a real Gitea; a commit that touches one chart, and one that touches the library of all charts, told
 * by the webhook and found by polling. Prints a table and writes bench/results/gitops.json; numbers that are not named
 * keep their results of an earlier run.
 */
const administrator: Account = { name: "hearth", password: "of the benchmark's Gitea" };

/** How often a push is measured that Gitea tells of: in a large home it takes minutes, so that once is enough. */
const trials = (applications: number) => (applications > 100 ? 1 : 3);

/** What a commit takes, from the push until every Application that it touches is Synced and Healthy on it. */
interface Push extends Cost {
    /** Charts that the repo server rendered meanwhile, the root Application's kustomization included. */
    readonly rendered: number;
}

interface Measured {
    readonly applications: number;
    readonly webhook: { readonly chart: readonly Push[]; readonly library: readonly Push[] };
    readonly polling: { readonly chart: readonly Push[]; readonly library: readonly Push[] };
}

/** A home on a Gitea of its own, with everything up. */
class GiteaHome {
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

    /** Whether Gitea tells Argo CD of a push. */
    async tell(active: boolean): Promise<void> {
        const gitea = new Gitea(this.server, administrator);
        const hooks = "/repos/home/hearth/hooks";
        for (const { id } of (await gitea.find<{ id: number }[]>(hooks)) ?? []) {
            await gitea.change("PATCH", `${hooks}/${id}`, { active });
        }
    }

    /** Changes one chart, or what every chart takes from the library, and pushes it; until it is in the cluster. */
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
            throw new Error(`${file} is not as this benchmark expects it`);
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

async function repeated(times: number, work: () => Promise<Push>): Promise<Push[]> {
    const found: Push[] = [];
    while (found.length < times) {
        found.push(await work());
        process.stderr.write(`${summary(found.slice(-1))}\n`);
    }
    return found;
}

async function measured(count: number): Promise<Measured> {
    process.stderr.write(`${count} Applications …\n`);
    const home = await GiteaHome.create(count);
    try {
        process.stderr.write("pushes …\n");
        // The first push makes caches that every later one finds.
        await home.push("chart");
        const told = {
            chart: await repeated(trials(count), () => home.push("chart")),
            library: await repeated(trials(count), () => home.push("library")),
        };
        await home.tell(false);
        // Up to three minutes of waiting, by Argo CD's clock.
        const found = {
            chart: await repeated(1, () => home.push("chart")),
            library: await repeated(1, () => home.push("library")),
        };
        return {
            applications: count,
            webhook: told,
            polling: found,
        };
    } finally {
        await home.remove();
    }
}

const median = (numbers: readonly number[]) =>
    numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** The medians of several pushes: seconds, processor seconds in brackets, and how many charts were rendered. */
function summary(pushes: readonly Push[]): string {
    const [seconds, processor, rendered] = (["seconds", "processorSeconds", "rendered"] as const).map((key) =>
        median(pushes.map((push) => push[key])),
    );
    return `${seconds?.toFixed(1)} (${processor?.toFixed(1)}), ${rendered}`;
}

async function main(): Promise<void> {
    const all = await measureHomes("gitops", [27, 100, 200], measured);
    const rows = all.map(({ applications, webhook, polling }) => [
        String(applications),
        ...[webhook.chart, webhook.library, polling.chart, polling.library].map(summary),
    ]);
    const ways = ["WEBHOOK", "POLLING"].flatMap((way) => [`${way}: ONE CHART`, "LIBRARY"]);
    process.stdout.write(`Medians: seconds (processor seconds), charts rendered\n`);
    process.stdout.write(`${formatTable(["APPLICATIONS", ...ways], rows)}\n`);
}

main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
});
