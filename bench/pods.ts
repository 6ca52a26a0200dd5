import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Table from "cli-table3";
import { runMain } from "../lib/failure";
import { running } from "../test/pods/applications";
import { prepareCheckout } from "../test/pods/checkout";
import { kubectlOf, printed } from "../test/pods/pods";
import { type Surroundings, serve } from "../test/pods/surroundings";
import { MachineHome } from "../test/provision/home";
import { machine, results } from "./record";

/**
 * Cost of a home with real pods: `npx tsx bench/pods.ts [starts]`, as root. One server and two agents, from newly
 * installed hosts until all Applications are Synced and Healthy, as many times as the command line says. Prints a table
 * and writes bench/results/pods.json.
 */
const starts = Number(process.argv[2] ?? 3);

/** Seconds of each part, one after the other. */
interface Measured {
    /** Until the last node has joined. */
    readonly nodes: number;
    /** Until the first Application is created: releases, secrets, Gitea and the push. */
    readonly system: number;
    readonly tier1: number;
    readonly tier2: number;
    /** With the root Application and the test of the webhook. */
    readonly tier3: number;
    readonly all: number;
}

interface Dated {
    readonly metadata: {
        readonly creationTimestamp: string;
        readonly annotations?: Readonly<Record<string, string>>;
    };
}

async function coldStart(): Promise<Measured> {
    const home = await MachineHome.withServices("s1", "a1", "a2");
    let surroundings: Surroundings | undefined;
    try {
        surroundings = await serve(home.network, running);
        await prepareCheckout(home);
        const begin = Date.now();
        await printed(home.stack.up());
        const end = Date.now();
        const list = async (...args: string[]): Promise<Dated[]> =>
            JSON.parse(await kubectlOf(home)("get", ...args, "--output=json")).items;
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
        const [nodes = 0, system = 0, tier1 = 0, tier2 = 0, tier3 = 0] = moments
            .slice(1)
            .map((moment, index) => Math.round((moment - (moments[index] ?? Number.NaN)) / 1000));
        return { nodes, system, tier1, tier2, tier3, all: Math.round((end - begin) / 1000) };
    } finally {
        surroundings?.close();
        await home.remove();
    }
}

async function main(): Promise<number> {
    const measured: Measured[] = [];
    for (let start = 0; start < starts; start++) {
        measured.push(await coldStart());
        // Keeps the existing results if a later start fails.
        writeFileSync(
            join(results, "pods.json"),
            `${JSON.stringify({ ...machine(), services: running, measured }, null, 2)}\n`,
        );
    }
    const table = new Table({ head: ["start", "nodes", "system", "tier 1", "tier 2", "tier 3", "all"] });
    table.push(...measured.map((each, index) => [index + 1, ...Object.values(each)]));
    process.stdout.write(`${table.toString()}\n`);
    return 0;
}

runMain("bench/pods", main);
