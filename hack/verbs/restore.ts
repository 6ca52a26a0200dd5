import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { chartNames, findApplication } from "../application";
import { chooseCopy, momentOf } from "../backups/choice";
import { backupCronJobs, checkHasBackup, claimOf, cronJobsOf, fullClaim, listCopies, newId } from "../backups/home";
import { type Journal, readJournal } from "../backups/journal";
import type { CronJob } from "../backups/objects";
import { Progress } from "../backups/progress";
import { dropOldData, type Restore, restoreFile, restoreService, undoRestore } from "../backups/restore";
import { formatBytes } from "../backups/results";
import { confirmed } from "../confirm";
import { Kubectl } from "../kubectl";
import { readStack, stackOption, withKubeconfig } from "../stack";
import { formatTable } from "../table";
import { defineVerb, exitCodes } from "../verb";

/** The CronJobs of a chart's claims, or that of one claim. */
function ofClaim(cronJobs: readonly CronJob[], chart: string, claim: string | undefined): CronJob[] {
    const all = cronJobsOf(cronJobs, "restore", chart);
    const found = all.filter((each) => claim === undefined || claimOf(each) === claim);
    if (found.length === 0) {
        const names = all.map(claimOf).join(", ");
        throw new Failure(`${chart} has no copies of a claim "${claim}"; claims: ${names}`, exitCodes.usage);
    }
    return found;
}

/** Rejects another restore while one is incomplete, and names the two ways to continue. */
function checkSame(
    chart: string,
    journal: Journal,
    asked: { claim?: string | undefined; at?: string | undefined },
): void {
    if (asked.at !== undefined || asked.claim !== undefined) {
        const times = journal.claims.map(({ claim, time }) => `${claim} of ${time}`).join(", ");
        throw new Failure(
            `a restore of ${times} is incomplete: \`hack/restore ${chart}\` completes it, ` +
                `\`hack/restore ${chart} --undo\` restores the previous data`,
        );
    }
}

/** `hack/restore` */
export const verb = defineVerb({
    parameters: "<chart> [claim]",
    describe: "Restores a service's data from a copy, and keeps the previous data; or undoes it",
    candidates: chartNames,
    options: (parser) =>
        parser
            .positional("chart", { type: "string", demandOption: true, describe: "Name of a folder under charts/" })
            .positional("claim", { type: "string", describe: "One of its claims; all of them if none is given" })
            .options({
                ...stackOption,
                at: {
                    type: "string",
                    requiresArg: true,
                    describe: "The last copy of this day or before this time; the newest one if none is given",
                },
                target: {
                    choices: ["main", "second"] as const,
                    default: "main" as const,
                    describe: "Target to read from",
                },
                file: {
                    type: "string",
                    requiresArg: true,
                    implies: "to",
                    describe: "Restore only this file or folder of the volume, while the service runs",
                },
                to: {
                    type: "string",
                    requiresArg: true,
                    implies: "file",
                    describe: "Folder of the volume to restore it to",
                },
                undo: {
                    type: "boolean",
                    conflicts: ["at", "file", "drop"],
                    describe: "Restore the previous data",
                },
                drop: {
                    type: "boolean",
                    conflicts: ["at", "file"],
                    describe: "Delete the data that a restore set aside. This cannot be undone.",
                },
                yes: { alias: "y", type: "boolean", describe: "Skip the confirmation" },
            }),
    examples: [
        ["$0 vaultwarden", "from the newest copy"],
        ["$0 paperless --at 2026-11-22", "as it was at the end of that day"],
        ["$0 paperless --undo", "as it was before the restore"],
        ["$0 home-assistant --file automations.yaml --to restored", "one file, into another folder"],
    ],
    run: async ({ chart, claim, stack: name, at, target, file, to, undo, drop, yes }) => {
        const before = at === undefined ? undefined : momentOf(at);
        const stack = await readStack(name);
        checkHasBackup(stack);
        const service = findApplication(root, stack.settings.cluster, chart);
        const progress = new Progress();
        const say = (line: string) => {
            progress.clear();
            process.stdout.write(`${line}\n`);
        };
        const report = (state: string) => progress.report(state);
        const allowed = async (question: string) => {
            progress.clear();
            return yes || (await confirmed(question));
        };
        return withKubeconfig(stack, async (path) => {
            const kubectl = new Kubectl(path);
            const all = await backupCronJobs(kubectl);
            const chartJobs = ofClaim(all, chart, undefined);
            const journal = await readJournal(kubectl, service.namespace);
            const restore: Restore = { kubectl, service, cronJobs: chartJobs, say, report };
            const isHalfDone = journal !== undefined && !["done", "undone"].includes(journal.state);
            if (undo || drop) {
                if (journal === undefined || (undo && journal.state === "undone")) {
                    throw new Failure(
                        undo ? `no restore of ${chart} can be undone` : `no restore of ${chart} has set data aside`,
                    );
                }
                if (drop && isHalfDone) {
                    checkSame(chart, journal, { claim: chart });
                }
                const aside = journal.state === "done" ? "previous data" : "data whose restore was undone";
                const question = undo
                    ? `Stop ${chart} and restore its previous data?`
                    : `Delete the ${aside} of ${chart}?`;
                if (!(await allowed(question))) {
                    return exitCodes.failed;
                }
                await (undo ? undoRestore : dropOldData)(restore, journal);
                return exitCodes.done;
            }
            if (isHalfDone && file === undefined) {
                checkSame(chart, journal, { claim, at });
                say(
                    `continuing the ${journal.state === "undoing" ? "undo" : "restore"} of ${journal.claims.map((each) => each.claim).join(", ")}`,
                );
                await (journal.state === "undoing" ? undoRestore : restoreService)(restore, journal);
                return exitCodes.done;
            }
            const meant = ofClaim(all, chart, claim);
            report("listing copies");
            const { copies, missing } = await listCopies(kubectl, all, (state) => report(`listing copies: ${state}`));
            if (missing?.target === target) {
                const other = target === "main" ? "second" : "main";
                const hint = copies.length > 0 ? `\nThe other target answers: add --target ${other}` : "";
                throw new Failure(`${missing.message}${hint}`);
            }
            const chosen = meant.map((each) => ({
                ...chooseCopy(copies, { claim: fullClaim(each), at: before, target }),
                claim: claimOf(each),
            }));
            if (file !== undefined && to !== undefined) {
                const [first, other] = meant;
                if (other !== undefined) {
                    const names = meant.map(claimOf).join(", ");
                    throw new Failure(`name the claim that ${file} is in: ${names}`, exitCodes.usage);
                }
                const [{ copy = "" } = {}] = chosen;
                await restoreFile({ ...restore, cronJobs: first ? [first] : [] }, { copy, target, file, to });
                return exitCodes.done;
            }
            if (journal !== undefined) {
                throw new Failure(
                    `the data that the last restore of ${chart} set aside still exists: delete it with ` +
                        `\`hack/restore ${chart} --drop\` before the next restore`,
                );
            }
            const rows = chosen.map((each) => [each.claim, each.time, formatBytes(each.bytes), each.copy]);
            say(formatTable(["CLAIM", "COPY OF", "SIZE", "COPY"], rows));
            if (!(await allowed(`Stop ${chart} and replace its data, which is kept, with this copy?`))) {
                say("Nothing was changed.");
                return exitCodes.failed;
            }
            const claims = chosen.map((each) => ({ claim: each.claim, copy: each.copy, time: each.time, target }));
            await restoreService(restore, { chart, id: newId(), exchanged: [], state: "copying", claims });
            return exitCodes.done;
        });
    },
});
