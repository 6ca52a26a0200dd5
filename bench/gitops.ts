import { formatTable } from "../hack/table";
import { runMain } from "../lib/failure";
import { GiteaHome, type Push } from "./gitea-home";
import { measureHomes } from "./record";

/**
 * From `git push` until the cluster has converged: `npx tsx bench/gitops.ts [numbers of Applications]`. Homes of that
 * many small services on a real Gitea; a commit that touches one chart, and one that touches the library of all charts,
 * by webhook and by polling. Prints a table and writes bench/results/gitops.json; omitted numbers keep their results
 * from an earlier run.
 */

/** Repetitions of a push with a webhook; in a large home it takes minutes, so one is enough. */
const trials = (applications: number) => (applications > 100 ? 1 : 3);

interface Measured {
    readonly applications: number;
    readonly webhook: { readonly chart: readonly Push[]; readonly library: readonly Push[] };
    readonly polling: { readonly chart: readonly Push[]; readonly library: readonly Push[] };
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
        // The first push fills caches that every later one uses.
        await home.push("chart");
        const webhook = {
            chart: await repeated(trials(count), () => home.push("chart")),
            library: await repeated(trials(count), () => home.push("library")),
        };
        await home.report(false);
        // Takes up to five minutes, since Argo CD polls.
        const polling = {
            chart: await repeated(1, () => home.push("chart")),
            library: await repeated(1, () => home.push("library")),
        };
        return {
            applications: count,
            webhook,
            polling,
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

async function main(): Promise<number> {
    const all = await measureHomes("gitops", [27, 100, 200], measured);
    const rows = all.map(({ applications, webhook, polling }) => [
        String(applications),
        ...[webhook.chart, webhook.library, polling.chart, polling.library].map(summary),
    ]);
    const ways = ["WEBHOOK", "POLLING"].flatMap((way) => [`${way}: ONE CHART`, "LIBRARY"]);
    process.stdout.write(`Medians: seconds (processor seconds), charts rendered\n`);
    process.stdout.write(`${formatTable(["APPLICATIONS", ...ways], rows)}\n`);
    return 0;
}

runMain("bench/gitops.ts", main);
