import type { Properties } from "../../shared/values";
import { at, listAt, nameOf, namespaceOf, numberAt, stringAt } from "../objects";

/** What a Job's status says. */
export interface JobState {
    readonly ready: boolean;
    /** What it waits for, as the user is told. */
    readonly steps: readonly string[];
    /** Why it has failed for good, or "". */
    readonly failure: string;
}

/** How an object is named to the user: with its namespace, unless that is the default one. */
export function shownName(object: Properties): string {
    const namespace = namespaceOf(object);
    return namespace === "" || namespace === "default" ? nameOf(object) : `${namespace}/${nameOf(object)}`;
}

function condition(job: Properties, type: string) {
    const found = listAt(job, "status", "conditions").find((each) => stringAt(each, "type") === type);
    return stringAt(found, "status") === "True" ? found : undefined;
}

/** Reads a Job's status. */
export function jobState(job: Properties): JobState {
    const started = at(job, "status", "startTime") !== undefined;
    const failed = condition(job, "Failed");
    const reason = stringAt(failed, "reason");
    const final = ["BackoffLimitExceeded", "DeadlineExceeded"].includes(reason);
    const count = (key: string) => numberAt(job, "status", key) ?? 0;
    const progress = `(Active: ${count("active")} | Succeeded: ${count("succeeded")} | Failed: ${count("failed")})`;
    const name = JSON.stringify(shownName(job));
    if (!started) {
        return { ready: false, steps: [`Waiting for Job ${name} to start`], failure: "" };
    }
    return {
        ready: !final && condition(job, "Complete") !== undefined,
        steps: [`Waiting for Job ${name} to start`, `Waiting for Job ${name} to succeed ${progress}`],
        failure: final ? `[${reason}] ${stringAt(failed, "message")}` : "",
    };
}

/** Whether a Job has completed. */
export function isJobReady(job: Properties): boolean {
    return jobState(job).ready;
}
