import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { results as folder, machine } from "../../bench/record";
import { writeFileAtomically } from "../../sandbox/files";

/** A fault that a home has to survive. */
export interface Fault {
    /** The fault: "SIGKILL to etcd". */
    readonly broken: string;
    /** When: "idle", "17 % into a first run". */
    readonly when: string;
    /** Condition that must hold. */
    readonly holds: string;
}

/** Result of a fault. */
export interface Result extends Fault {
    /** The test's file, without its ending. */
    readonly subject: string;
    readonly date: string;
    readonly survived: boolean;
    /** From the end of the fault until all expectations held. */
    readonly seconds?: number;
}

/** Content of bench/results/faults.json. */
export interface Results {
    readonly machine: string;
    readonly tries: number;
    readonly survived: number;
    readonly results: readonly Result[];
}

const file = join(folder, "faults.json");

/** Results that the runs of the suite have written. */
export function readResults(): Results {
    return JSON.parse(readFileSync(file, "utf8"));
}

/** The file has the last result of each fault, from any run of the suite. */
export function addResult(result: Result): void {
    const id = ({ subject, broken, when }: Result) => `${subject}: ${broken}, ${when}`;
    const before = existsSync(file) ? readResults().results : [];
    const at = before.findIndex((each) => id(each) === id(result));
    const results = at < 0 ? [...before, result] : before.with(at, result);
    results.sort((one, other) => one.subject.localeCompare(other.subject));
    const summary: Results = {
        machine: machine().machine,
        tries: results.length,
        survived: results.filter(({ survived }) => survived).length,
        results,
    };
    writeFileAtomically(file, `${JSON.stringify(summary, null, 2)}\n`);
}
