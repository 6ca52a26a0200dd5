import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** Options of Pulumi that print messages for debugging; of short ones, several may stand behind one hyphen. */
const printing = /^(--(debug|verbose|log)|-[a-z]*[dv])/i;

/** Reports whether a run of Pulumi prints debug messages, by its command line; an unknown program may. */
export function printsDebugMessages([program = "", ...args]: readonly string[]): boolean {
    return basename(program) !== "pulumi" || args.some((each) => printing.test(each));
}

function parentOf(pid: number): number {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** Reports whether the Pulumi that runs this program prints debug messages; where it cannot be told, it may. */
export function areDebugMessagesPrinted(): boolean {
    if (process.env["PULUMI_OPTION_DEBUG"] !== undefined) {
        return true;
    }
    try {
        // Pulumi starts its language host, which starts this program.
        const commandLine = readFileSync(`/proc/${parentOf(process.ppid)}/cmdline`, "utf8");
        return printsDebugMessages(commandLine.split("\0"));
    } catch {
        return true; // Not Linux.
    }
}
