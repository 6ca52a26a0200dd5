import { eventSelectors } from "../../components/application-status";
import { Failure } from "../../lib/failure";
import { interrupted, pause } from "../../lib/run";
import { formatAge } from "../age";
import { hasBackup } from "../backups/home";
import { type JournalObject, journalLabel } from "../backups/journal";
import { backupLabels, type CronJob, type Pod } from "../backups/objects";
import { backupCells } from "../backups/results";
import { type OrderObject, orderKinds } from "../certificate-orders";
import { colors } from "../colors";
import { type HomeObjects, type HomeStatus, homeStatus } from "../home-status";
import { Kubectl } from "../kubectl";
import { readStack, stackOption, withKubeconfig } from "../stack";
import { formatTable } from "../table";
import { defineVerb, exitCodes } from "../verb";

/** Exit code when there is a problem. */
const notReady = 3;

/** Seconds between two polls with --watch. */
const interval = 2;

async function readObjects(kubectl: Kubectl): Promise<HomeObjects> {
    const inArgocd = ["--namespace", "argocd"];
    const labeled = (label: string) => ["--all-namespaces", "--selector", label];
    const ordered = Promise.all(
        orderKinds.map((kind) => kubectl.listIfKnown<OrderObject>(kind, "--all-namespaces")),
    ).then((lists) => lists.flatMap((each) => each ?? []));
    const [nodes, argocd, events, warnings, applications, claims, volumes, orders, ...rest] = await Promise.all([
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
        kubectl.listIfKnown<NonNullable<HomeObjects["applications"]>[number]>("applications.argoproj.io", ...inArgocd),
        kubectl.list<HomeObjects["claims"][number]>("persistentvolumeclaims", "--all-namespaces"),
        kubectl.list<HomeObjects["volumes"][number]>("persistentvolumes"),
        ordered,
        kubectl.list<HomeObjects["pods"][number]>("pods", "--all-namespaces"),
        kubectl.list<CronJob>("cronjobs", ...labeled(backupLabels.work)),
        kubectl.list<Pod>("pods", ...labeled(backupLabels.work)),
        kubectl.list<JournalObject>("configmaps", ...labeled(journalLabel)),
    ]);
    const [pods, cronJobs, workers, journals] = rest;
    return {
        ...{ nodes, argocd, events, warnings, applications, claims, volumes, orders, pods },
        backups: { cronJobs, pods: workers, journals },
    };
}

function format(
    { nodes, applications, backups, certificates, largestLoss, first }: HomeStatus,
    copies: boolean,
): string {
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
    const backupTable = backupCells(backups);
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
        ...(backups.length > 0 ? [formatTable(backupTable.header, backupTable.rows), ""] : []),
        ...(largestLoss === undefined ? [] : [largestLoss, ""]),
        ...(copies || applications.length === 0
            ? []
            : ["Nothing is copied off this home: docs/backup.md shows how to change that in four lines.", ""]),
        ...(certificates.length > 0 ? [...certificates, ""] : []),
        ...explained.flatMap(({ name, reasons }) => [
            colors.bold(name),
            ...reasons.slice(0, 5).map((reason) => `  ${reason}`),
            "",
        ]),
        first
            ? `${colors.bold("First problem:")} ${first.what}\n  ${first.command}`
            : `${applications.length} Applications are Synced and Healthy, ${nodes.length} nodes are Ready.`,
    ].join("\n");
}

/** Replaces the previous output, for long enough that a person can read it. */
async function show(text: string): Promise<void> {
    const clear = process.stdout.isTTY ? "\u001b[2J\u001b[H" : "";
    process.stdout.write(`${clear}${new Date().toISOString()}\n${text}\n`);
    await pause(interval * 1_000);
}

/** Polls once, or repeatedly, the same cluster. */
async function look(
    kubectl: Kubectl,
    { watch, json, copies }: { watch?: boolean; json?: boolean; copies: boolean },
): Promise<number> {
    for (;;) {
        const status = homeStatus(await readObjects(kubectl));
        if (!watch) {
            process.stdout.write(`${json ? JSON.stringify(status, undefined, 2) : format(status, copies)}\n`);
            return status.ready ? exitCodes.done : notReady;
        }
        await show(format(status, copies));
    }
}

/** `hack/status` */
export const verb = defineVerb({
    describe: "Show nodes, Applications tier by tier, copies of the data, and the first problem",
    options: (parser) =>
        parser.options({
            ...stackOption,
            watch: {
                alias: "w",
                type: "boolean",
                describe: `Repeat every ${interval} s until Ctrl-C`,
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
                return await withKubeconfig(stack, (path) =>
                    look(new Kubectl(path), { watch, json, copies: hasBackup(stack) }),
                );
            } catch (error) {
                // With --watch, an unreachable cluster is expected to come up.
                if (!watch || interrupted() || !(error instanceof Failure)) {
                    throw error;
                }
                await show(error.message);
            }
        }
    },
});
