import { z } from "zod";
import { Failure } from "../../lib/failure";
import { formatAge } from "../age";
import { backupLabels, type CronJob, type Pod } from "./objects";

const resultSchema = z.looseObject({
    hearth: z.string(),
    time: z.string(),
    ok: z.boolean(),
    claim: z.string().optional(),
    /** Snapshot in each target. */
    copies: z.record(z.string(), z.string()).optional(),
    /** Time at which the repository of each target was created. */
    since: z.record(z.string(), z.string()).optional(),
    bytes: z.number().optional(),
    added: z.number().optional(),
    files: z.number().optional(),
    seconds: z.number().optional(),
    reason: z.string().optional(),
    target: z.string().optional(),
    message: z.string().optional(),
});

/** The termination message of a backup pod: one line of JSON. */
export type Result = z.output<typeof resultSchema>;

const copySchema = z.object({
    claim: z.string(),
    copy: z.string(),
    time: z.string(),
    bytes: z.number(),
    files: z.number(),
    target: z.string(),
});

/** One copy in a repository, as a Job with ACTION=list prints it. */
export type Copy = z.output<typeof copySchema>;

/** Parses the lines of a log that match a schema as JSON; the other lines are for people. */
function linesOf<T>(log: string, schema: z.ZodType<T>): T[] {
    return log.split("\n").flatMap((line) => {
        try {
            const { data } = schema.safeParse(JSON.parse(line));
            return data === undefined ? [] : [data];
        } catch {
            return [];
        }
    });
}

/** Result of a pod; undefined while it runs, and if it was killed before it could report one. */
export function resultOf({ status }: Pod): Result | undefined {
    const containers = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
    return containers.flatMap(({ state }) => linesOf(state?.terminated?.message ?? "", resultSchema)).at(0);
}

/** Results of the pods of one kind of work, oldest first. */
function resultsOf(pods: readonly Pod[], belongs: (metadata: Pod["metadata"]) => boolean): Result[] {
    return pods
        .filter(({ metadata }) => belongs(metadata))
        .flatMap((pod) => resultOf(pod) ?? [])
        .sort((one, other) => Date.parse(one.time) - Date.parse(other.time));
}

/** The copies in the log of a Job with ACTION=list, newest first. */
export function copiesIn(log: string): Copy[] {
    return linesOf(log, copySchema).sort((one, other) => Date.parse(other.time) - Date.parse(one.time));
}

/** Share of a Job's work that is done, 0 to 1, and bytes; undefined if its log has no progress. */
export function progressIn(log: string): { readonly percent: number; readonly bytes: number } | undefined {
    const schema = z.looseObject({ hearth: z.literal("progress"), percent: z.number(), bytes: z.number() });
    return linesOf(log, schema).at(-1);
}

/** Copies and drills of one claim. */
export interface BackupRow {
    readonly chart: string;
    /** `namespace/name` */
    readonly claim: string;
    /** Time of the last complete copy, in Kubernetes' format. */
    readonly copied?: string;
    /** Its total size in bytes, not only the data that the run added to the repository. */
    readonly bytes?: number;
    /** Time at which a drill last restored the newest copy and verified it. */
    readonly drilled?: string;
    /** Seconds that the restore of that drill took. */
    readonly seconds?: number;
    /** Reason why the last copy or drill failed, if it did. */
    readonly problem?: string;
}

/**
 * Copies and drills of each claim, ordered by chart and claim.
 *
 * @param cronJobs every CronJob with the label {@link backupLabels.work}
 * @param pods of these; Kubernetes keeps the last ones
 */
export function backupRows(cronJobs: readonly CronJob[], pods: readonly Pod[]): BackupRow[] {
    const about = (work: string, { namespace, labels }: CronJob["metadata"]) =>
        resultsOf(
            pods,
            (metadata) =>
                metadata.namespace === namespace &&
                metadata.labels?.[backupLabels.work] === work &&
                metadata.labels[backupLabels.claim] === labels?.[backupLabels.claim],
        );
    return cronJobs
        .filter(({ metadata }) => metadata.labels?.[backupLabels.work] === "backup")
        .map(({ metadata, status }) => {
            const claim = metadata.labels?.[backupLabels.claim] ?? "";
            const drill = cronJobs.find(
                (each) =>
                    each.metadata.namespace === metadata.namespace &&
                    each.metadata.labels?.[backupLabels.work] === "drill" &&
                    each.metadata.labels[backupLabels.claim] === claim,
            );
            const [copies, drills] = [about("backup", metadata), about("drill", metadata)];
            const problem = [copies, drills].flatMap((results) => {
                const last = results.at(-1);
                return last && !last.ok ? `${last.hearth}: ${last.message ?? last.reason ?? "it failed"}` : [];
            })[0];
            return {
                chart: metadata.labels?.[backupLabels.chart] ?? metadata.namespace,
                claim: `${metadata.namespace}/${claim}`,
                copied: status?.lastSuccessfulTime,
                bytes: copies.findLast(({ ok }) => ok)?.bytes,
                drilled: drill?.status?.lastSuccessfulTime,
                seconds: drills.findLast(({ ok }) => ok)?.seconds,
                problem,
            };
        })
        .sort((one, other) => `${one.chart} ${one.claim}`.localeCompare(`${other.chart} ${other.claim}`, "en"));
}

/** Seconds after which a copy is late: a night was missed. */
const lateAfter = 2 * 86_400;

/** The claim with the first problem: its copy failed or is late. */
export function worstBackup(rows: readonly BackupRow[], now: number): { what: string; command: string } | undefined {
    const bad = rows.find(
        ({ copied, problem }) =>
            problem !== undefined || (copied !== undefined && now - Date.parse(copied) > lateAfter * 1_000),
    );
    return (
        bad && {
            what:
                bad.problem === undefined
                    ? `The last copy of ${bad.claim} is ${formatAge(bad.copied ?? "")} old.`
                    : `${bad.claim}: ${bad.problem}`,
            command: `hack/backup ${bad.chart}`,
        }
    );
}

/** Milliseconds for which a recreated repository is reported: after a change of the target, it is expected. */
const newFor = 7 * 86_400_000;

/**
 * A target whose repository is newer than a copy in it: it was emptied or replaced.
 *
 * @param cronJobs every CronJob with the label {@link backupLabels.work}
 * @param pods of these
 */
export function emptiedTarget(
    cronJobs: readonly CronJob[],
    pods: readonly Pod[],
    now: number,
): { what: string; command: string } | undefined {
    const isWork = (labels: CronJob["metadata"]["labels"], work: string) => labels?.[backupLabels.work] === work;
    const opened = resultsOf(pods, ({ labels }) => isWork(labels, "repository"));
    const copies = resultsOf(pods, ({ labels }) => isWork(labels, "backup"));
    for (const [target, since] of Object.entries(opened.findLast((each) => each.since)?.since ?? {})) {
        const made = Date.parse(since);
        const copied = copies.find((each) => each.copies?.[target] && Date.parse(each.time) < made)?.claim;
        // A drill restores from the first target once a month, and Kubernetes deletes pods of older copies earlier.
        const drilled = cronJobs.find(
            ({ metadata, status }) =>
                target === "main" &&
                isWork(metadata.labels, "drill") &&
                Date.parse(status?.lastSuccessfulTime ?? "") < made,
        )?.metadata;
        const claim = copied ?? (drilled && `${drilled.namespace}/${drilled.labels?.[backupLabels.claim]}`);
        if (claim !== undefined && now - made < newFor) {
            return {
                what:
                    `The ${target} target has lost its copies: its repository was created at ${since}, and ${claim} was copied ` +
                    "to it before that. If you have not changed the target, find out who emptied it.",
                command: "hack/backup list",
            };
        }
    }
    return undefined;
}

/** Seconds within which the hourly Job has to have opened the repository. */
const openedWithin = 2 * 3_600;

/**
 * Reports whether the target answers and accepts the password, as the cluster found within the last two hours.
 *
 * @returns time at which it was opened
 * @throws Failure with the reason if it could not
 */
export function checkRepository(cronJobs: readonly CronJob[], pods: readonly Pod[], now: number): string {
    const own = (labels: CronJob["metadata"]["labels"]) => labels?.[backupLabels.work] === "repository";
    const repository = cronJobs.find(({ metadata }) => own(metadata.labels));
    if (repository === undefined) {
        throw new Failure("hearth:backup is set, and the cluster has no Job for it yet: run `npx pulumi up`");
    }
    const opened = repository.status?.lastSuccessfulTime;
    const last = resultsOf(pods, ({ labels }) => own(labels)).at(-1);
    if (last?.ok === false) {
        throw new Failure(last.message ?? last.reason ?? "the repository cannot be opened");
    }
    if (opened === undefined || now - Date.parse(opened) > openedWithin * 1_000) {
        throw new Failure(opened === undefined ? "has not been opened yet" : `last opened ${formatAge(opened)} ago`);
    }
    return `the target answers and accepts the password, ${formatAge(opened)} ago`;
}

/** A size for people: "1.2 GB". */
export function formatBytes(bytes: number): string {
    const units = ["B", "kB", "MB", "GB", "TB"];
    const power = bytes < 1_000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
    const value = bytes / 1_000 ** power;
    return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** Header and cells of the table of backups. */
export function backupCells(rows: readonly BackupRow[]): { header: string[]; rows: string[][] } {
    return {
        header: ["SERVICE", "CLAIM", "LAST COPY", "SIZE", "LAST DRILL", "SECONDS"],
        rows: rows.map(({ chart, claim, copied, bytes, drilled, seconds }) => [
            chart,
            claim.replace(/^.*\//, ""),
            copied === undefined ? "never" : formatAge(copied),
            bytes === undefined ? "" : formatBytes(bytes),
            drilled === undefined ? "never" : formatAge(drilled),
            seconds === undefined ? "" : String(Math.round(seconds)),
        ]),
    };
}
