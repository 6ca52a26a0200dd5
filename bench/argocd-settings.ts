import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatTable } from "../hack/table";
import { runMain } from "../lib/failure";
import { ownProcesses, programOf } from "../sandbox/own-processes";
import type { SandboxPaths } from "../sandbox/paths";
import { eventually } from "../test/monitoring/eventually";
import { costCell } from "./cells";
import { GiteaHome, type Push } from "./gitea-home";
import { machine, results } from "./record";
import { type Cost, kubectl, measure, refreshAll } from "./sandbox";

/**
 * Effect of Argo CD's settings: `npx tsx bench/argocd-settings.ts [number of Applications]`. One home, whose Argo CD is
 * restarted with each of the settings in turn, twice; each time it rereads all charts without a change, and deploys a
 * commit to the library, which it renders and syncs everywhere. Prints a table and writes
 * bench/results/argocd-settings.json.
 */
const rounds = 2;

/** The workload of each setting, and Argo CD's default for it. */
const workloads = {
    ARGOCD_APPLICATION_CONTROLLER_STATUS_PROCESSORS: ["statefulset/argocd-application-controller", "20"],
    ARGOCD_APPLICATION_CONTROLLER_OPERATION_PROCESSORS: ["statefulset/argocd-application-controller", "10"],
    ARGOCD_K8S_CLIENT_QPS: ["statefulset/argocd-application-controller", "50"],
    ARGOCD_K8S_CLIENT_BURST: ["statefulset/argocd-application-controller", "100"],
    ARGOCD_REPO_SERVER_PARALLELISM_LIMIT: ["deployment/argocd-repo-server", "0"],
} as const;

type Name = keyof typeof workloads;
type Settings = Readonly<Record<Name, string>>;

const names = Object.keys(workloads) as Name[];

/** Settings to measure, as differences from the chart's own. */
const variants: Readonly<Record<string, Partial<Settings>>> = {
    "as the chart has them": {},
    "50 calls a second, Argo CD's default": { ARGOCD_K8S_CLIENT_QPS: "50", ARGOCD_K8S_CLIENT_BURST: "100" },
    "half the processors: 10 for status, 5 for operations": {
        ARGOCD_APPLICATION_CONTROLLER_STATUS_PROCESSORS: "10",
        ARGOCD_APPLICATION_CONTROLLER_OPERATION_PROCESSORS: "5",
    },
    "those for 1,000 Applications: 50 and 25": {
        ARGOCD_APPLICATION_CONTROLLER_STATUS_PROCESSORS: "50",
        ARGOCD_APPLICATION_CONTROLLER_OPERATION_PROCESSORS: "25",
    },
    "two charts rendered at a time": { ARGOCD_REPO_SERVER_PARALLELISM_LIMIT: "2" },
};

interface Trial {
    readonly settings: string;
    readonly refresh: Cost;
    readonly library: Push;
}

/** Settings that Argo CD's processes currently use. */
function running(paths: SandboxPaths): Settings {
    const environments = ownProcesses(paths)
        .filter((process) => /^argocd-(application-controller|repo-server)$/.test(programOf(process)))
        .flatMap(({ pid }) => readFileSync(`/proc/${pid}/environ`, "utf8").split("\0"));
    const found = new Map(environments.map((each) => each.split("=", 2) as [string, string]));
    return Object.fromEntries(names.map((name) => [name, found.get(name) || workloads[name][1]])) as Settings;
}

async function apply(paths: SandboxPaths, wanted: Settings): Promise<void> {
    for (const workload of new Set(names.map((name) => workloads[name][0]))) {
        const variables = names.filter((name) => workloads[name][0] === workload);
        const pairs = variables.map((name) => `${name}=${wanted[name]}`);
        await kubectl(paths, "--namespace", "argocd", "set", "env", workload, ...pairs);
    }
    await eventually("Argo CD runs with the settings", () => {
        const now = running(paths);
        return names.every((name) => now[name] === wanted[name]);
    });
}

async function main(): Promise<number> {
    const applications = Number(process.argv[2] ?? 100);
    const home = await GiteaHome.create(applications);
    const trials: Trial[] = [];
    try {
        const own = running(home.paths);
        for (let round = 0; round < rounds; round += 1) {
            for (const [settings, difference] of Object.entries(variants)) {
                await apply(home.paths, { ...own, ...difference });
                // A controller that was just started reads the cluster first.
                await refreshAll(home.paths);
                const refresh = await measure(home.paths, () => refreshAll(home.paths));
                const library = await home.push("library");
                trials.push({ settings, refresh, library });
                process.stderr.write(`${settings}: ${costCell(refresh)}, ${costCell(library)}\n`);
            }
        }
        const result = { ...machine(), applications, own, variants, measured: trials };
        writeFileSync(join(results, "argocd-settings.json"), `${JSON.stringify(result, null, 2)}\n`);
    } finally {
        await home.remove();
    }
    const rows = Object.keys(variants).map((settings) => {
        const all = trials.filter((trial) => trial.settings === settings);
        const cells = (["refresh", "library"] as const).map((key) =>
            all.map((trial) => costCell(trial[key])).join(", "),
        );
        return [settings, ...cells];
    });
    process.stdout.write(`${formatTable(["SETTINGS", "ALL READ ANEW s (CPU)", "LIBRARY s (CPU)"], rows)}\n`);
    return 0;
}

runMain("bench/argocd-settings.ts", main);
