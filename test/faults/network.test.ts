import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findOnPath } from "../../lib/paths";
import { run } from "../../lib/run";
import { aptGetInstall } from "../../toolchain/apt-get";
import type { Home } from "../sandbox/home";
import { until } from "../sandbox/home";
import { fault, limit } from "./fault";
import { changed, runningHome, soon, succeeded, untilReady, up } from "./small-home";

/** A separate table in the kernel's packet filter, without other rules. */
const table = `hearth-faults-${process.pid}`;

let home: Home;
let port: string;

async function nft(...args: string[]): Promise<void> {
    const { exitCode, output } = await run("nft", args);
    if (exitCode !== 0) {
        throw new Error(`nft ${args.join(" ")}: ${output}`);
    }
}

/** Drops every packet to the home's Git server, like a pulled cable. */
async function cut(): Promise<void> {
    await nft("add", "table", "inet", table);
    await nft("add", "chain", "inet", table, "cut", "{ type filter hook output priority 0; }");
    await nft("add", "rule", "inet", table, "cut", "oifname", "lo", "tcp", "dport", port, "drop");
}

const mend = () => nft("delete", "table", "inet", table);

/** Argo CD's result of the comparison with Git. */
async function isComparing(): Promise<boolean> {
    const { status } = await home.get<{ status?: { conditions?: { type: string }[] } }>(
        "application/qbittorrent",
        "--namespace=argocd",
    );
    return !(status?.conditions ?? []).some(({ type }) => type === "ComparisonError");
}

beforeAll(async () => {
    if (!findOnPath("nft")) {
        await aptGetInstall("nftables", "Install the package nftables.", ["nftables"]);
    }
    home = await runningHome();
    port =
        /url: http:\/\/127\.0\.0\.1:(\d+)/.exec(readFileSync(join(home.root, "Pulumi.sandbox.yaml"), "utf8"))?.[1] ??
        "";
    expect(port).not.toBe("");
}, limit);

afterAll(async () => home?.remove(), limit);

fault(
    {
        broken: "the network between Argo CD and Git is cut",
        when: "idle",
        holds: "the services keep running, Argo CD reports that it cannot compare, and catches up by itself",
    },
    async (mended) => {
        const revision = await changed(home);
        await home.push();
        await cut();
        try {
            succeeded(
                await home.kubectl(
                    ...["annotate", "application/qbittorrent", "--namespace=argocd"],
                    "argocd.argoproj.io/refresh=hard",
                ),
            );
            await until("Argo CD notices", soon, async () => !(await isComparing()));
            expect((await home.applications()).get("qbittorrent")?.status?.health?.status).toBe("Healthy");
        } finally {
            await mend();
        }
        mended();

        await untilReady(home, revision, soon * 2);
    },
);

fault(
    {
        broken: "the network to Git is cut for 20 s",
        when: "while a commit is rolled out",
        holds: "the `pulumi up` in progress finishes",
    },
    async (mended) => {
        const revision = await changed(home);
        await home.push();
        await cut();
        const mending = new Promise((over) => setTimeout(over, 20_000)).then(mend).then(mended);
        const outcome = await up(home);
        await mending;

        succeeded(outcome);
        await untilReady(home, revision);
    },
);
