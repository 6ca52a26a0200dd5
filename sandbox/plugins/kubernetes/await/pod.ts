import type { Properties, Value } from "../../shared/values";
import { at, listAt, stringAt } from "../objects";
import { shownName } from "./job";
import type { Verdict } from "./related";

function condition(pod: Properties, type: string): Value | undefined {
    return listAt(pod, "status", "conditions").find((each) => stringAt(each, "type") === type);
}

/** Takes the parts out of a container runtime's message that help nobody. */
function trimmed(message: string): string {
    return message
        .replace(/^rpc error: code = Unknown desc = Error response from daemon: /, "")
        .replace(/: manifest unknown$/, "");
}

function containerErrors(status: Value): string[] {
    if (at(status, "ready") === true) {
        return [];
    }
    const errors: string[] = [];
    const name = JSON.stringify(stringAt(status, "name"));
    const waiting = at(status, "state", "waiting");
    if (waiting !== undefined && stringAt(waiting, "reason") !== "ContainerCreating") {
        errors.push(`[${stringAt(waiting, "reason")}] ${trimmed(stringAt(waiting, "message"))}`);
    }
    const terminated = at(status, "state", "terminated");
    const reason = stringAt(terminated, "reason");
    if (reason !== "") {
        const message = stringAt(terminated, "message");
        const code = at(terminated, "exitCode");
        errors.push(
            message === "" ? `container ${name} completed with exit code ${code}` : `[${reason}] ${trimmed(message)}`,
        );
    }
    const last = at(status, "lastState", "terminated");
    if (last !== undefined) {
        const end = `${stringAt(last, "finishedAt")} (${stringAt(last, "reason")}: exit code ${at(last, "exitCode")})`;
        errors.push(`container ${name} terminated at ${end}`);
        if (stringAt(last, "message") !== "") {
            errors.push(stringAt(last, "message"));
        }
    }
    return errors;
}

function podError(pod: Properties, because: Value | undefined): string | undefined {
    const errors = listAt(pod, "status", "containerStatuses").flatMap(containerErrors);
    const message = stringAt(because, "message");
    if (errors.length === 0 && message === "") {
        return undefined;
    }
    const reason = stringAt(because, "reason") === "" ? "" : message;
    return `[Pod ${shownName(pod)}]: ${reason}${errors.join("\n")}`;
}

/** Whether a Pod is scheduled, initialized and ready, or has succeeded; and what is wrong with it. */
export function podVerdict(pod: Properties): Verdict {
    const name = JSON.stringify(shownName(pod));
    const messages: (readonly ["info", string])[] = [];
    const steps = [
        ["PodScheduled", "scheduled"],
        ["Initialized", "initialized"],
        ["Ready", "ready"],
    ] as const;
    for (const [type, word] of steps) {
        const found = condition(pod, type);
        messages.push(["info", `Waiting for Pod ${name} to be ${word}`]);
        const succeeded = type === "Ready" && found !== undefined && stringAt(pod, "status", "phase") === "Succeeded";
        if (stringAt(found, "status") === "True" || succeeded) {
            continue;
        }
        const error = found === undefined || type === "PodScheduled" ? undefined : podError(pod, found);
        return { ready: false, reasons: error === undefined ? [] : [error], messages };
    }
    return { ready: true, reasons: [], messages };
}
