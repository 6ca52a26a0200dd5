import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import { Failure, runMain } from "../lib/failure";
import { running } from "../test/pods/applications";
import { printed } from "../test/pods/pods";
import { ServicesHome } from "../test/pods/services";
import { machine, results } from "./record";

/**
 * Cold starts of a home with real pods: `npx tsx bench/pods.ts [starts]`, as root. One server and two agents, from newly
 * installed hosts until all Applications are Synced and Healthy, as many times as the command line says. Prints a table
 * and adds to bench/results/pods.json.
 */
const starts = Number(process.argv[2] ?? 3);

/** Parts of a start, one after the other, as shares of its time: a busy host changes these less than the seconds. */
interface Parts {
    /** Until the last node has joined. */
    readonly nodes: number;
    /** Until the first Application is created: releases, secrets, Gitea and the push. */
    readonly system: number;
    readonly tier1: number;
    readonly tier2: number;
    /** With the root Application and the test of the webhook. */
    readonly tier3: number;
}

/** Seconds of a start that ended well, or the end of the output of one that failed. */
type Outcome = { readonly seconds: number; readonly parts: Parts } | { readonly failed: string };

/** Outcome of a start, and the number of processes that were running or waiting to run when it ended. */
type Start = ReturnType<typeof machine> & { readonly load: number } & Outcome;

interface Dated {
    readonly metadata: {
        readonly creationTimestamp: string;
        readonly annotations?: Readonly<Record<string, string>>;
    };
}

async function coldStart(): Promise<Outcome> {
    const home = await ServicesHome.create();
    try {
        const begin = Date.now();
        await printed(home.cluster.stack.up());
        const end = Date.now();
        const list = async (...args: string[]) => (await home.json<{ items: Dated[] }>(...args)).items;
        const applications = await list("applications", "--namespace=argocd");
        const created = (items: readonly Dated[]) =>
            items.map(({ metadata }) => Date.parse(metadata.creationTimestamp)).sort((a, b) => a - b);
        const tier = (number: string) =>
            created(
                applications.filter(
                    ({ metadata }) => metadata.annotations?.["argocd.argoproj.io/sync-wave"] === number,
                ),
            )[0] ?? Number.NaN;
        const moments = [
            begin,
            created(await list("nodes")).at(-1) ?? Number.NaN,
            tier("1"),
            tier("2"),
            tier("3"),
            end,
        ];
        const share = (seconds: number) => Math.round((seconds / (end - begin)) * 100) / 100;
        const [nodes = 0, system = 0, tier1 = 0, tier2 = 0, tier3 = 0] = moments
            .slice(1)
            .map((moment, index) => share(moment - (moments[index] ?? Number.NaN)));
        return { seconds: Math.round((end - begin) / 1000), parts: { nodes, system, tier1, tier2, tier3 } };
    } finally {
        await home.remove();
    }
}

async function main(): Promise<number> {
    const file = join(results, "pods.json");
    const former: { measured: Start[] } = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { measured: [] };
    const measured: Start[] = [...former.measured];
    for (let start = 0; start < starts; start++) {
        const outcome = await coldStart().catch((error: Error) => {
            if (error instanceof Failure) {
                throw error; // Of this machine, not of the home: a tool or a package is missing.
            }
            return { failed: error.message.slice(-2_000) };
        });
        measured.push({ ...machine(), load: Math.round(loadavg()[1] ?? 0), ...outcome });
        writeFileSync(file, `${JSON.stringify({ services: running, measured }, null, 2)}\n`);
    }
    const table = new Table({ head: ["start", "load", "seconds", "nodes", "system", "tier 1", "tier 2", "tier 3"] });
    table.push(
        ...measured.map((each, index) =>
            "failed" in each
                ? [index + 1, each.load, { content: each.failed, colSpan: 6 }]
                : [index + 1, each.load, each.seconds, ...Object.values(each.parts)],
        ),
    );
    process.stdout.write(`${table.toString()}\n`);
    return measured.some((each) => "failed" in each) ? 1 : 0;
}

runMain("bench/pods", main);
