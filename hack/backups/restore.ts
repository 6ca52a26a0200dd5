import { Failure } from "../../lib/failure";
import type { Kubectl } from "../kubectl";
import { claimOf, newId } from "./home";
import { ensureJob, follow, JobFailure, jobFrom, jobName } from "./jobs";
import { type Journal, removeJournal, writeJournal } from "./journal";
import type { CronJob } from "./objects";
import { planStop, readMounting, type Service, type Stopped, start, stop, waitForStart } from "./stop";

/** Dependencies of a restore. */
export interface Restore {
    readonly kubectl: Kubectl;
    readonly service: Service;
    /** The CronJobs that describe the Jobs: one for each claim of the chart. */
    readonly cronJobs: readonly CronJob[];
    /** Called with each step, for the user. */
    readonly say: (line: string) => void;
    /** Called with the progress of a Job. */
    readonly report: (state: string) => void;
}

/** The claims of a restore, with the CronJob that describes the Jobs of each. */
function claimsOf({ cronJobs }: Restore, { claims }: Journal): (Journal["claims"][number] & { cronJob: CronJob })[] {
    return claims.map((each) => {
        const cronJob = cronJobs.find((one) => claimOf(one) === each.claim);
        if (cronJob === undefined) {
            throw new Failure(`the chart no longer has the claim ${each.claim}: its copy cannot be restored`);
        }
        return { ...each, cronJob };
    });
}

/** Runs one Job for each claim, one after the other: they share a disk. */
async function runJobs(
    restore: Restore,
    journal: Journal,
    action: "copy" | "restore" | "undo" | "drop",
    ended: (claim: string) => Promise<void> = async () => undefined,
): Promise<void> {
    const { kubectl, service, report } = restore;
    for (const { claim, copy, target, cronJob } of claimsOf(restore, journal)) {
        const job = { namespace: service.namespace, name: jobName(claim, action, journal.id) };
        const variables = { ACTION: action, COPY: copy, TARGET: target };
        await ensureJob(kubectl, job, () => jobFrom(cronJob, job.name, variables));
        try {
            await follow(kubectl, job, (state) => report(`${claim} ${state}`));
        } catch (error) {
            // After an interrupted restore, some claims have nothing to undo.
            if (!(action === "undo" && error instanceof JobFailure && error.result?.reason === "none")) {
                throw error;
            }
            await kubectl.run(["delete", "job", job.name, "--namespace", job.namespace]);
        }
        await ended(claim);
    }
}

/**
 * Stops the service, calls `exchange`, and starts it again. An earlier call has stopped the workloads in the journal.
 */
async function whileStopped(
    restore: Restore,
    journal: Journal,
    state: "exchanging" | "undoing",
    exchange: (journal: Journal) => Promise<void>,
): Promise<Stopped> {
    const { kubectl, service, say } = restore;
    const claims = journal.claims.map(({ claim }) => claim);
    const planned = journal.stopped ?? planStop(await readMounting(kubectl, service.namespace), claims);
    const stopping: Journal = { ...journal, state, stopped: planned };
    await writeJournal(kubectl, service.namespace, stopping);
    say(`stopping ${planned.workloads.map(({ name }) => name).join(", ") || "nothing: no workload mounts the volume"}`);
    await stop(kubectl, service, planned, claims);
    await exchange(stopping);
    say(`starting ${service.name}`);
    await start(kubectl, service, planned);
    return planned;
}

/**
 * Restores copies next to a service's data while it runs, then stops it, exchanges the two, and starts it.
 *
 * @param journal of the restore: a new one, or that of a killed call
 */
export async function restoreService(restore: Restore, journal: Journal): Promise<void> {
    const { kubectl, service, say } = restore;
    const { namespace } = service;
    if (journal.state === "copying") {
        await writeJournal(kubectl, namespace, journal);
        try {
            await runJobs(restore, journal, "copy");
        } catch (error) {
            if (error instanceof JobFailure) {
                // The service is unaffected so far: the next call may choose another copy.
                await removeJournal(kubectl, namespace);
            }
            throw error;
        }
    }
    const stopped = await whileStopped(restore, journal, "exchanging", async (stopping) => {
        const exchanged = [...stopping.exchanged];
        const left = stopping.claims.filter(({ claim }) => !exchanged.includes(claim));
        await runJobs(restore, { ...stopping, claims: left }, "restore", async (claim) => {
            exchanged.push(claim);
            await writeJournal(kubectl, namespace, { ...stopping, exchanged });
        });
    });
    await writeJournal(kubectl, namespace, { ...journal, state: "done", stopped: undefined });
    await waitForStart(kubectl, service, stopped);
    say(
        `${service.name} runs with the restored data. The previous data is kept on the volume: ` +
            `\`hack/restore ${service.name} --undo\` restores it, \`--drop\` deletes it`,
    );
}

/** Restores the previous data, in every state of the restore. */
export async function undoRestore(restore: Restore, journal: Journal): Promise<void> {
    const { kubectl, service, say } = restore;
    const { namespace } = service;
    if (journal.state === "copying") {
        for (const { claim } of journal.claims) {
            const name = jobName(claim, "copy", journal.id);
            await kubectl.run(["delete", "job", name, "--namespace", namespace, "--ignore-not-found"]);
        }
        await removeJournal(kubectl, namespace);
        say(`${service.name} runs with its original data: nothing had been restored yet`);
        return;
    }
    const stopped = await whileStopped(restore, journal, "undoing", (stopping) => runJobs(restore, stopping, "undo"));
    await writeJournal(kubectl, namespace, { ...journal, state: "undone", stopped: undefined });
    await waitForStart(kubectl, service, stopped);
    say(
        `${service.name} runs with its previous data. The restored data is kept on the volume: ` +
            `\`hack/restore ${service.name} --drop\` deletes it`,
    );
}

/** Deletes the data that a restore, or its undo, has set aside. */
export async function dropOldData(restore: Restore, journal: Journal): Promise<void> {
    await runJobs(restore, journal, "drop");
    await removeJournal(restore.kubectl, restore.service.namespace);
    restore.say(`deleted the data that the last restore of ${restore.service.name} set aside`);
}

/** Restores one file or folder of a copy into a folder of the same volume, while the service runs. */
export async function restoreFile(
    { kubectl, service, cronJobs: [cronJob], say, report }: Restore,
    { copy, target, file, to }: { copy: string; target: string; file: string; to: string },
): Promise<void> {
    if (cronJob === undefined) {
        throw new Error("a file is restored from the copy of one claim");
    }
    const claim = claimOf(cronJob);
    const job = { namespace: service.namespace, name: jobName(claim, "file", newId()) };
    const variables = { ACTION: "file", COPY: copy, TARGET: target, FILE: file, TO: to };
    await ensureJob(kubectl, job, () => jobFrom(cronJob, job.name, variables));
    await follow(kubectl, job, report);
    say(`${file} is in the folder ${to} of the volume ${claim}`);
}
