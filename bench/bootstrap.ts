import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import { type Application, readApplications, tiers } from "../components/applications";
import { kustomizePatches } from "../components/overrides";
import { readStack } from "../hack/stack";
import { formatTable } from "../hack/table";
import { runMain } from "../lib/failure";
import type { SandboxPaths } from "../sandbox/paths";
import { deleteSandbox, exclusively, startSandbox } from "../sandbox/sandbox";
import { build, isBuilt } from "../toolchain/go-build";
import { builtPath, type GoTool, tool } from "../toolchain/tools";
import { machine, results } from "./record";
import {
    belowTheTiers,
    type Cost,
    kubectl,
    measure,
    pulumiUp,
    sandboxApplications,
    selectStack,
    succeed,
    untilReady,
} from "./sandbox";

/**
 * Cost of the gates, compared with other ways to deploy the same 27 services: `npx tsx bench/bootstrap.ts [ways]`. Each
 * way has its own sandbox, which is started before the measurement, and begins with `pulumi up` of everything below the
 * tiers. Deletes the sandbox of this checkout, which has to be committed. Prints a table and writes
 * bench/results/bootstrap.json; omitted ways keep their results from an earlier run.
 */
const root = resolve(__dirname, "..");

/** Number of releases in progress at a time, where a way has such a setting. */
const concurrency = 8;

const helmfileTool: GoTool = {
    folder: "../bench/helmfile",
    module: "github.com/helmfile/helmfile",
    package: "github.com/helmfile/helmfile",
    variables: (version) => ({ "go.szostok.io/version.version": version }),
};

/** A sandbox in which no tier is deployed yet. */
interface Home {
    readonly paths: SandboxPaths;
    readonly revision: string;
    readonly applications: readonly Application[];
}

/** A way to deploy all services of the home. */
const ways: Readonly<Record<string, { readonly what: string; readonly deploy: (home: Home) => Promise<void> }>> = {
    gated: {
        what: "pulumi up: a tier is Synced and Healthy before the next begins; the root Application last",
        deploy: () => pulumiUp(root),
    },
    floor: {
        what: "kubectl apply of all Applications at once, until all are Synced and Healthy",
        deploy: async ({ paths, applications, revision }) => {
            const file = join(paths.directory, "applications.yaml");
            writeFileSync(file, applications.map(({ manifest }) => stringify(manifest)).join("---\n"));
            await kubectl(paths, "apply", "--server-side", "--filename", file);
            await untilReady(
                paths,
                applications.map(({ name }) => name),
                revision,
            );
        },
    },
    waves: {
        what: "Argo CD's own gates: kubectl apply of an app of apps, whose Applications are in sync waves",
        deploy: async ({ paths, applications, revision }) => {
            const { settings } = await readStack("sandbox");
            const { url: repoURL, revision: targetRevision } = settings.repository;
            const patches = kustomizePatches(readApplications(root, settings.cluster), settings);
            const file = join(paths.directory, "root.yaml");
            const manifest = {
                apiVersion: "argoproj.io/v1alpha1",
                kind: "Application",
                metadata: { name: "root", namespace: "argocd" },
                spec: {
                    project: "root",
                    destination: { server: "https://kubernetes.default.svc", namespace: "argocd" },
                    source: { repoURL, targetRevision, path: `clusters/${settings.cluster}`, kustomize: { patches } },
                    syncPolicy: {
                        automated: { prune: true, selfHeal: false },
                        syncOptions: ["ServerSideApply=true", "Validate=false"],
                    },
                },
            };
            writeFileSync(file, stringify(manifest));
            await kubectl(paths, "apply", "--server-side", "--filename", file);
            await untilReady(paths, ["root", ...applications.map(({ name }) => name)], revision);
        },
    },
    helm: {
        what: "helm upgrade --install --wait, one after the other, in the order of the tiers",
        deploy: async (home) => {
            for (const application of byTier(home.applications)) {
                const { name, chart, namespace, values } = releaseOf(application);
                const args = ["upgrade", "--install", name, chart, "--namespace", namespace, "--wait", "--values", "-"];
                await withFile(home, stringify(values), (file) =>
                    succeed(tool("helm3"), [...args.slice(0, -1), file, "--kubeconfig", home.paths.kubeconfig], root),
                );
            }
        },
    },
    helmfile: {
        what: `helmfile sync, --concurrency ${concurrency}, needs between the tiers`,
        deploy: async (home) => {
            const releases = byTier(home.applications).map((application) => {
                const { values, ...release } = releaseOf(application);
                const before = home.applications.filter(({ tier }) => tier === application.tier - 1);
                return {
                    ...release,
                    values: [values],
                    wait: true,
                    needs: before.map(({ namespace, name }) => `${namespace}/${name}`),
                };
            });
            await withFile(home, stringify({ releases }), (file) =>
                succeed(
                    builtPath("helmfile", helmfileTool),
                    [
                        ...["--file", file, "--helm-binary", tool("helm3"), "--kubeconfig", home.paths.kubeconfig],
                        ...["sync", "--skip-deps", "--concurrency", String(concurrency)],
                    ],
                    root,
                ),
            );
        },
    },
};

function byTier(applications: readonly Application[]): Application[] {
    return tiers.flatMap((tier) => applications.filter((each) => each.tier === tier));
}

/** The release that Helm makes of an Application's own chart. */
function releaseOf({ name, namespace, manifest }: Application) {
    return { name, namespace, chart: join(root, "charts", name), values: manifest.spec.sources[0].helm?.valuesObject };
}

async function withFile(home: Home, content: string, use: (file: string) => Promise<unknown>): Promise<void> {
    const file = join(home.paths.directory, "bench.yaml");
    writeFileSync(file, content);
    await use(file);
}

/** Cost of a way, from an empty cluster to running services. */
interface Measured extends Cost {
    readonly way: string;
    readonly what: string;
    /** End times of its parts, in seconds from its start. */
    readonly parts: Readonly<Record<string, number>>;
}

/** End times of the run's parts: each component is registered when those before it are done. */
function partsOfRun(start: number): Record<string, number> {
    const state = join(root, ".state/.pulumi/stacks/hearth/sandbox.json");
    const { checkpoint } = JSON.parse(readFileSync(state, "utf8"));
    const begun = (name: string) =>
        checkpoint.latest.resources.find(
            ({ urn }: { urn: string }) => urn.endsWith(`Tier::${name}`) || urn.endsWith(`:RootApplication::${name}`),
        );
    const seconds = (name: string) => (Date.parse(begun(name).created) - start) / 1000;
    return {
        "below the tiers": seconds("tier-1"),
        "tier 1": seconds("tier-2"),
        "tier 2": seconds("tier-3"),
        "tier 3": seconds("root"),
    };
}

async function measured(way: string): Promise<Measured> {
    const definition = ways[way];
    if (!definition) {
        throw new Error(`unknown way "${way}": expected one of ${Object.keys(ways).join(", ")}`);
    }
    const { what, deploy } = definition;
    process.stderr.write(`${way}: ${what} …\n`);
    await deleteSandbox(root);
    const { paths, push } = await startSandbox(root);
    await selectStack(root);
    const home = { paths, revision: push?.revision ?? "", applications: await sandboxApplications(root) };
    if (way === "gated") {
        const start = Date.now();
        const cost = await measure(paths, () => deploy(home));
        return { way, what, ...cost, parts: partsOfRun(start) };
    }
    const below = await measure(paths, () => pulumiUp(root, ...belowTheTiers));
    const services = await measure(paths, () => deploy(home));
    return {
        way,
        what,
        seconds: below.seconds + services.seconds,
        processorSeconds: below.processorSeconds + services.processorSeconds,
        parts: { "below the tiers": below.seconds },
    };
}

async function main(): Promise<number> {
    process.chdir(root);
    const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(ways);
    if (chosen.includes("helmfile") && !isBuilt("helmfile", helmfileTool)) {
        process.stderr.write("building helmfile …\n");
        await build([["helmfile", helmfileTool]]);
    }
    const file = join(results, "bootstrap.json");
    const former: { measured: Measured[] } = existsSync(file)
        ? JSON.parse(readFileSync(file, "utf8"))
        : { measured: [] };
    const kept = former.measured.filter(({ way }) => !chosen.includes(way));
    const all = await exclusively(root, async () => {
        const done = [...kept];
        for (const way of chosen) {
            done.push(await measured(way));
        }
        await deleteSandbox(root);
        return done;
    });
    writeFileSync(file, `${JSON.stringify({ ...machine(), measured: all }, null, 2)}\n`);
    const head = ["WAY", "SECONDS", "CPU s", "SERVICES s", ""];
    const rows = all.map(({ way, what, seconds, processorSeconds, parts }) => {
        const services = seconds - (parts["below the tiers"] ?? 0);
        return [way, ...[seconds, processorSeconds, services].map((each) => each.toFixed(1)), what];
    });
    process.stdout.write(`${formatTable(head, rows)}\n`);
    return 0;
}

runMain("bench/bootstrap.ts", main);
