import { Failure } from "../../lib/failure";
import type { Kubectl } from "../kubectl";
import type { Stack } from "../stack";
import { exitCodes } from "../verb";
import { ensureJob, follow, jobFrom } from "./jobs";
import { backupLabels, backupNamespace, type CronJob } from "./objects";
import { type Copy, copiesIn } from "./results";

/** Every CronJob of backups in the home. */
export function backupCronJobs(kubectl: Kubectl): Promise<readonly CronJob[]> {
    return kubectl.list<CronJob>("cronjobs", "--all-namespaces", "--selector", backupLabels.work);
}

/** Reports whether the stack's file sets hearth:backup. */
export function hasBackup({ file }: Stack): boolean {
    return file.config["hearth:backup"] !== undefined;
}

/** @throws Failure when nothing of the home is backed up, with the next step */
export function checkHasBackup(stack: Stack): void {
    if (!hasBackup(stack)) {
        throw new Failure(
            `${stack.name} has no backups: set hearth:backup as docs/backup.md describes, ` +
                "then run `npx pulumi up`",
            exitCodes.usage,
        );
    }
}

/**
 * The CronJobs for one kind of work, of one chart or of all.
 * @throws Failure when there is none
 */
export function cronJobsOf(cronJobs: readonly CronJob[], work: string, chart: string | undefined): CronJob[] {
    const found = cronJobs.filter(
        ({ metadata: { labels } }) =>
            labels?.[backupLabels.work] === work && (chart === undefined || labels[backupLabels.chart] === chart),
    );
    if (found.length === 0) {
        throw new Failure(
            chart === undefined || !cronJobs.some(({ metadata }) => metadata.labels?.[backupLabels.work] === work)
                ? "the cluster has no CronJob for backups yet: run `npx pulumi up`"
                : `${chart} has no volume that is backed up: see the reason at each claim in charts/${chart}/values.yaml`,
            exitCodes.usage,
        );
    }
    return found;
}

/** The claim of a CronJob of backups. */
export function claimOf({ metadata }: CronJob): string {
    return metadata.labels?.[backupLabels.claim] ?? "";
}

/** `namespace/name` of the claim, which is the tag of its copies. */
export function fullClaim(cronJob: CronJob): string {
    return `${cronJob.metadata.namespace}/${claimOf(cronJob)}`;
}

/** A unique part of names, from the time: short and in order. */
export function newId(): string {
    return Math.floor(Date.now() / 1_000).toString(36);
}

/** Copies in the home's repositories. */
export interface CopyList {
    /** Newest first. */
    readonly copies: readonly Copy[];
    /** A target that could not be read, with the reason. */
    readonly missing?: { readonly target: string; readonly message: string };
}

/**
 * Lists every copy in the home's repositories, as the cluster lists them.
 *
 * @param report called with the Job's progress
 * @throws Failure when no target can be read
 */
export async function listCopies(
    kubectl: Kubectl,
    cronJobs: readonly CronJob[],
    report: (state: string) => void,
): Promise<CopyList> {
    const [repository] = cronJobsOf(cronJobs, "repository", undefined);
    const job = { namespace: backupNamespace, name: `list-${newId()}` };
    await ensureJob(kubectl, job, () => jobFrom(repository as CronJob, job.name, { ACTION: "list" }));
    const result = await follow(kubectl, job, report);
    const log = await kubectl.run(["logs", `job/${job.name}`, "--namespace", job.namespace, "--tail=-1"]);
    await kubectl.run(["delete", "job", job.name, "--namespace", job.namespace, "--wait=false"]);
    const copies = copiesIn(log);
    return result?.target === undefined
        ? { copies }
        : { copies, missing: { target: result.target, message: result.message ?? "it cannot be read" } };
}
