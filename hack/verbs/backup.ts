import { Failure } from "../../lib/failure";
import { chartNames } from "../application";
import { backupCronJobs, checkHasBackup, cronJobsOf, fullClaim, listCopies, newId } from "../backups/home";
import { follow, jobName } from "../backups/jobs";
import { backupNamespace, type CronJob } from "../backups/objects";
import { Progress } from "../backups/progress";
import { type Copy, formatBytes, type Result } from "../backups/results";
import { Kubectl } from "../kubectl";
import { readStack, stackOption, withKubeconfig } from "../stack";
import { formatTable } from "../table";
import { defineVerb, exitCodes } from "../verb";

/** One claim that was copied, or not. */
interface Outcome {
    readonly claim: string;
    readonly result?: Result;
    readonly problem?: string;
}

/** Runs the Job of a CronJob now, or follows the running one. Its success counts as a nightly run. */
async function runNow(
    kubectl: Kubectl,
    { metadata, status }: CronJob,
    report: (state: string) => void,
): Promise<Result | undefined> {
    const { name, namespace } = metadata;
    const running = status?.active?.[0]?.name;
    const job = { namespace, name: running ?? jobName(name, "now", newId()) };
    if (running === undefined) {
        await kubectl.run(["create", "job", job.name, "--namespace", namespace, `--from=cronjob/${name}`]);
    }
    return follow(kubectl, job, report);
}

/** A new home has no repository: the hourly Job creates it. */
async function ensureRepository(
    kubectl: Kubectl,
    cronJobs: readonly CronJob[],
    report: (state: string) => void,
): Promise<void> {
    for (const each of cronJobsOf(cronJobs, "repository", undefined)) {
        if (each.metadata.namespace === backupNamespace && each.status?.lastSuccessfulTime === undefined) {
            await runNow(kubectl, each, (state) => report(`repository: ${state}`));
        }
    }
}

function formatCopies(copies: readonly Copy[]): string {
    const rows = copies.map(({ time, claim, bytes, files, target, copy }) => [
        time,
        claim,
        formatBytes(bytes),
        String(files),
        target,
        copy,
    ]);
    return formatTable(["TIME", "CLAIM", "SIZE", "FILES", "TARGET", "COPY"], rows);
}

function formatOutcome({ claim, result, problem }: Outcome): string[] {
    const { bytes, added, seconds, copies = {} } = result ?? {};
    const targets = Object.keys(copies).join(", ");
    return [
        claim,
        problem === undefined ? `copied${targets ? ` to ${targets}` : ""}` : "FAILED",
        bytes === undefined ? "" : formatBytes(bytes),
        added === undefined ? "" : formatBytes(added),
        seconds === undefined ? "" : String(Math.round(seconds)),
    ];
}

/** `hack/backup` */
export const verb = defineVerb({
    parameters: "[what] [chart]",
    describe: "Copies the volumes of one chart, or of all charts, off the home now; or lists the copies",
    candidates: () => ["list", ...chartNames()],
    options: (parser) =>
        parser
            .positional("what", {
                type: "string",
                describe: "A folder under charts/, or `list`; all charts if left out",
            })
            .positional("chart", { type: "string", describe: "After `list`: the chart whose copies are listed" })
            .options({ ...stackOption, json: { type: "boolean", describe: "Print JSON" } }),
    examples: [
        ["$0 vaultwarden", "before an upgrade, for instance"],
        ["$0", "every chart, one claim at a time"],
        ["$0 list paperless", "its copies, with time, size and target"],
    ],
    run: async ({ what, chart, stack: name, json }) => {
        if (chart !== undefined && what !== "list") {
            throw new Failure(`name one chart, or none for all: got "${what}" and "${chart}"`, exitCodes.usage);
        }
        const stack = await readStack(name);
        checkHasBackup(stack);
        const progress = new Progress();
        const report = (state: string) => progress.report(state);
        return withKubeconfig(stack, async (path) => {
            const kubectl = new Kubectl(path);
            const cronJobs = await backupCronJobs(kubectl);
            if (what === "list") {
                const claims = new Set(cronJobsOf(cronJobs, "backup", chart).map(fullClaim));
                const { copies: all, missing } = await listCopies(kubectl, cronJobs, (state) =>
                    report(`listing copies: ${state}`),
                );
                const copies = chart === undefined ? all : all.filter(({ claim }) => claims.has(claim));
                progress.clear();
                if (missing) {
                    process.stderr.write(`without the copies of the ${missing.target} target: ${missing.message}\n`);
                }
                process.stdout.write(`${json ? JSON.stringify(copies, undefined, 2) : formatCopies(copies)}\n`);
                return exitCodes.done;
            }
            const meant = cronJobsOf(cronJobs, "backup", what);
            await ensureRepository(kubectl, cronJobs, report);
            const outcomes: Outcome[] = [];
            for (const each of meant) {
                const claim = fullClaim(each);
                try {
                    const result = await runNow(kubectl, each, (state) => report(`${claim} ${state}`));
                    outcomes.push({ claim, ...(result ? { result } : {}) });
                } catch (error) {
                    // A claim that cannot be copied does not stop the others.
                    if (!(error instanceof Failure) || error.exitCode !== exitCodes.failed) {
                        throw error;
                    }
                    outcomes.push({ claim, problem: error.message });
                }
            }
            progress.clear();
            if (json) {
                process.stdout.write(`${JSON.stringify(outcomes, undefined, 2)}\n`);
            } else {
                const header = ["CLAIM", "STATE", "SIZE", "ADDED", "SECONDS"];
                process.stdout.write(`${formatTable(header, outcomes.map(formatOutcome))}\n`);
            }
            const problems = outcomes.flatMap(({ problem }) => problem ?? []);
            if (problems.length > 0) {
                throw new Failure(`${problems.length} of ${outcomes.length} were not copied:\n${problems.join("\n")}`);
            }
            return exitCodes.done;
        });
    },
});
