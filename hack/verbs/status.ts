import { setTimeout } from "node:timers/promises";
import { eventSelectors } from "../../components/application-status";
import { Failure } from "../../lib/failure";
import { interrupted, interruptionSignal, throwIfInterrupted } from "../../lib/run";
import { formatAge } from "../age";
import { colors } from "../colors";
import { type HomeObjects, type HomeStatus, homeStatus } from "../home-status";
import { Kubectl } from "../kubectl";
import { readStack, stackOption, withKubeconfig } from "../stack";
import { formatTable } from "../table";
import { defineVerb, exitCodes } from "../verb";

/** Exit code when something is not as it should be. */
const notReady = 3;

/** Seconds between two looks with --watch. */
const interval = 2;

async function readObjects(kubectl: Kubectl): Promise<HomeObjects> {
    const inArgocd = ["--namespace", "argocd"];
    const [nodes, argocd, events, warnings, applications] = await Promise.all([
        kubectl.list<HomeObjects["nodes"][number]>("nodes"),
        kubectl.list<HomeObjects["argocd"][number]>("deployments,statefulsets", ...inArgocd),
        kubectl.list<HomeObjects["events"][number]>(
            "events",
            ...inArgocd,
            "--field-selector",
            "involvedObject.kind=Application,reason=ResourceUpdated",
        ),
        Promise.all(
            eventSelectors.map((selector) =>
                kubectl.list<HomeObjects["warnings"][number]>(
                    "events",
                    "--all-namespaces",
                    "--field-selector",
                    selector,
                ),
            ),
        ).then((lists) => lists.flat()),
        kubectl
            .list<NonNullable<HomeObjects["applications"]>[number]>("applications.argoproj.io", ...inArgocd)
            .catch((error: Error) => {
                if (error.message.includes("the server doesn't have a resource type")) {
                    return undefined;
                }
                throw error;
            }),
    ]);
    return { nodes, argocd, events, warnings, applications };
}

function format({ nodes, applications, first }: HomeStatus): string {
    const state = (text: string, good: boolean) => (good ? colors.green(text) : colors.yellow(text));
    const nodeRows = nodes.map(({ name, role, status, architecture, version }) => [
        name,
        role,
        state(status, status === "Ready"),
        architecture,
        version,
    ]);
    const applicationRows = applications.map(({ tier, name, sync, health, revision, created, since }) => [
        tier ?? "-",
        name,
        state(sync, sync === "Synced"),
        state(health, health === "Healthy"),
        revision?.slice(0, 7) ?? "-",
        formatAge(created),
        since ? formatAge(since) : sync === "Synced" && health === "Healthy" ? "" : "?",
    ]);
    const explained = applications.filter(({ reasons }) => reasons.length > 0);
    return [
        formatTable(["NODE", "ROLE", "STATUS", "ARCH", "VERSION"], nodeRows),
        "",
        ...(applications.length > 0
            ? [
                  formatTable(
                      ["TIER", "APPLICATION", "SYNC", "HEALTH", "REVISION", "AGE", "NOT READY FOR"],
                      applicationRows,
                  ),
                  "",
              ]
            : []),
        ...explained.flatMap(({ name, reasons }) => [
            colors.bold(name),
            ...reasons.slice(0, 5).map((reason) => `  ${reason}`),
            "",
        ]),
        first
            ? `${colors.bold("Look first:")} ${first.what}\n  ${first.command}`
            : `${applications.length} Applications are Synced and Healthy, ${nodes.length} nodes are Ready.`,
    ].join("\n");
}

/** Shows what is new, in place of what was there, and for so long that a person can read it. */
async function show(text: string): Promise<void> {
    const clear = process.stdout.isTTY ? "\u001b[2J\u001b[H" : "";
    process.stdout.write(`${clear}${new Date().toISOString()}\n${text}\n`);
    await setTimeout(interval * 1_000, undefined, { signal: interruptionSignal }).catch(throwIfInterrupted);
}

/** Looks once, or again and again, at the same cluster. */
async function look(kubectl: Kubectl, { watch, json }: { watch?: boolean; json?: boolean }): Promise<number> {
    for (;;) {
        const status = homeStatus(await readObjects(kubectl));
        if (!watch) {
            process.stdout.write(`${json ? JSON.stringify(status, undefined, 2) : format(status)}\n`);
            return status.ready ? exitCodes.done : notReady;
        }
        await show(format(status));
    }
}

/** `hack/status` */
export const verb = defineVerb({
    describe: "Nodes and Applications, tier by tier, and the one thing to look at first",
    options: (parser) =>
        parser.options({
            ...stackOption,
            watch: {
                alias: "w",
                type: "boolean",
                describe: `Look again every ${interval} s until Ctrl-C`,
            },
            json: { type: "boolean", describe: "Print JSON", conflicts: "watch" },
        }),
    examples: [
        ["$0", "the stack that is selected"],
        ["$0 --stack sandbox --watch", "follow what `npm start` does"],
    ],
    exitCodes: `, ${notReady} a node or an Application is not ready`,
    run: async ({ stack: name, watch, json }) => {
        const stack = await readStack(name);
        for (;;) {
            try {
                return await withKubeconfig(stack, (path) => look(new Kubectl(path), { watch, json }));
            } catch (error) {
                // Whoever watches wants to see it come back, or come up.
                if (!watch || interrupted() || !(error instanceof Failure)) {
                    throw error;
                }
                await show(error.message);
            }
        }
    },
});
