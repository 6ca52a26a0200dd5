import { invalid, quoted } from "../../config/mistakes";
import { Failure } from "../../lib/failure";
import { exitCodes } from "../verb";
import type { Copy } from "./results";

const form =
    'a time such as "2026-11-22" (the last copy of that day) or "2026-11-22 06:00", in this machine\'s time zone';

/**
 * The time in --at, in milliseconds since 1970: for a day without a time, its end.
 *
 * @throws Failure for anything else
 */
export function momentOf(text: string): number {
    const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
    const isTime = /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/.test(text);
    const moment = Date.parse(isDay ? `${text}T23:59:59.999` : text.replace(" ", "T"));
    if (!(isDay || isTime) || Number.isNaN(moment)) {
        throw new Failure(invalid("--at", quoted(text), form), exitCodes.usage);
    }
    return moment;
}

/** Selection of copies. */
export interface Choice {
    /** `namespace/name` of the claim. */
    readonly claim: string;
    /** Milliseconds since 1970; the newest copy if undefined. */
    readonly at: number | undefined;
    /** "main" or "second". */
    readonly target: string;
}

/**
 * The newest copy of a claim made at or before a time.
 *
 * @throws Failure that lists the copies when none is old enough
 */
export function chooseCopy(copies: readonly Copy[], { claim, at, target }: Choice): Copy {
    const own = copies
        .filter((copy) => copy.claim === claim && copy.target === target)
        .sort((one, other) => Date.parse(other.time) - Date.parse(one.time));
    const found = own.find(({ time }) => at === undefined || Date.parse(time) <= at);
    if (found) {
        return found;
    }
    const times = own.map(({ time }) => `  ${time}`);
    throw new Failure(
        times.length > 0
            ? `no copy of ${claim} is that old; existing ones:\n${times.join("\n")}`
            : `the target ${target} has no copy of ${claim}: \`hack/backup list\` lists its copies`,
    );
}
