import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { releases } from "../../components/releases";
import { packageChart } from "../../sandbox/charts/package";
import { sandboxPaths } from "../../sandbox/paths";
import { goTools, kubernetesPlugin, pulumiTools, tool } from "../../toolchain/tools";
import { Home } from "../sandbox/home";
import { secretValues } from "../sandbox/killed-run";
import { fault, limit } from "./fault";
import { apps, runningHome, succeeded, untilReady, up } from "./small-home";

const repository = resolve(__dirname, "../..");

/** The previous minor version of each chart, where a Go module has it. */
const before = [
    {
        release: releases.metallb,
        namespace: "metallb-system",
        version: "0.15.2",
        module: "go.universe.tf/metallb@v0.15.2",
        folder: "charts/metallb",
    },
    {
        release: releases.certManager,
        namespace: "cert-manager",
        version: "v1.20.2",
        module: "github.com/cert-manager/cert-manager@v1.20.2",
        folder: "deploy/charts/cert-manager",
    },
] as const;

let home: Home;

/** Adds the charts of the previous minor versions to the home's chart repository. */
async function serveVersionsBefore(): Promise<void> {
    const work = mkdtempSync(join(tmpdir(), "hearth-charts-"));
    const { charts: served } = sandboxPaths(home.root);
    try {
        for (const { release, version, module, folder } of before) {
            const { Dir } = JSON.parse(
                execFileSync("go", ["mod", "download", "-json", module], { cwd: work, encoding: "utf8" }),
            );
            const source = join(work, "source", release.chart);
            mkdirSync(source, { recursive: true });
            execFileSync("cp", ["--recursive", "--no-preserve=mode", "-T", join(Dir, folder), source]);
            // A release's Chart.yaml is a template of cert-manager's build.
            const template = join(source, "Chart.template.yaml");
            if (existsSync(template)) {
                renameSync(template, join(source, "Chart.yaml"));
            }
            await packageChart(tool("helm3"), { ...release, version }, source, join(work, "package"), served);
        }
        execFileSync(tool("helm3"), ["repo", "index", served]);
    } finally {
        rmSync(work, { recursive: true });
    }
}

/** Pins the previous minor versions in the program, or the current ones again. */
function pin(which: "before" | "now"): void {
    for (const { release, version } of before) {
        const [from, to] = which === "before" ? [release.version, version] : [version, release.version];
        home.edit("components/releases.ts", (text) => text.replace(`"${from}"`, `"${to}"`));
    }
}

/** Chart and version that each Deployment of a release was made from; Argo CD's in the namespace name no chart. */
async function chartsOf(namespace: string): Promise<string[]> {
    const { items } = await home.get<{ items: { metadata: { labels: Record<string, string> } }[] }>(
        "deployments",
        `--namespace=${namespace}`,
        "--selector=app.kubernetes.io/managed-by=Helm,helm.sh/chart",
    );
    return [...new Set(items.map(({ metadata }) => metadata.labels["helm.sh/chart"] ?? ""))];
}

const charts = () => Promise.all(before.map(({ namespace }) => chartsOf(namespace)));

/** UIDs of a release's custom resources, to detect recreated ones. */
async function customResources(): Promise<string[]> {
    const kinds = "ipaddresspools,l2advertisements,clusterissuers,certificates";
    const { items } = await home.get<{ items: { metadata: { uid: string } }[] }>(kinds, "--all-namespaces");
    return items.map(({ metadata }) => metadata.uid).sort();
}

describe("the charts of MetalLB and cert-manager", () => {
    const now = before.map(({ release }) => [`${release.chart}-${release.version}`]);
    const then = before.map(({ release, version }) => [`${release.chart}-${version}`]);

    beforeAll(async () => {
        home = await runningHome();
        await serveVersionsBefore();
        expect(await charts()).toEqual(now);
    }, limit);

    afterAll(async () => home?.remove(), limit);

    for (const [broken, which, expected] of [
        ["MetalLB and cert-manager are downgraded by a minor version", "before", then],
        ["MetalLB and cert-manager are upgraded by a minor version", "now", now],
    ] as const) {
        fault(
            {
                broken,
                when: "idle",
                holds: "`pulumi up` finishes, with all previous custom resources and secrets",
            },
            async () => {
                const kept = { resources: await customResources(), secrets: await secretValues(home) };
                pin(which);

                succeeded(await up(home));

                expect(await charts()).toEqual(expected);
                expect({ resources: await customResources(), secrets: await secretValues(home) }).toEqual(kept);
            },
        );
    }
});

/** Git's answer about this repository; empty when it has none. */
const git = (...args: string[]) => spawnSync("git", ["-C", repository, ...args], { encoding: "utf8" }).stdout.trim();

/** Folders of the tools that a sandbox runs on. */
const toolFolders = [...Object.values(goTools), ...Object.values(pulumiTools), kubernetesPlugin].map(
    ({ folder }) => `toolchain/${folder}`,
);

/** Commits since these changed: a home of an earlier one does not start on the present tools. None in a shallow clone. */
const sinceTools = Number(git("rev-list", "--count", `${git("log", "-1", "--format=%H", "--", ...toolFolders)}..HEAD`));

/** Homes by their age in commits. */
const earlier = [
    ["the previous commit", Math.min(1, sinceTools)],
    ["up to 60 commits ago", Math.min(60, sinceTools)],
] as const;

for (const [name, age] of earlier.filter(([, commits]) => commits > 0)) {
    describe(`this repository at ${name}`, () => {
        afterAll(async () => home?.remove(), limit);

        fault(
            {
                broken: `a home of ${name} gets the current program`,
                when: "idle",
                holds: "`npm start` finishes, with all previous secrets",
            },
            async (mended) => {
                home = await Home.create();
                await home.takeCommit(`HEAD~${age}`);
                home.keepApplications(...apps);
                await home.commit("a small home of then");
                succeeded(await home.start());
                const secrets = await secretValues(home);
                expect(secrets).not.toEqual({});
                await home.takeWorkTree();
                home.keepApplications(...apps);
                mended();

                const revision = await home.commit("the present program");
                succeeded(await home.start());
                await untilReady(home, revision);

                expect(await secretValues(home)).toMatchObject(secrets);
            },
        );
    });
}
