import { basename } from "node:path";
import type { RunningProcess } from "../../lib/processes";

/** The name of a process's program; of its script when Node runs it. */
function programOf({ commandLine }: RunningProcess): string {
    const [program = "", script = ""] = commandLine.split(/[\0 ]/, 2).map((word) => basename(word));
    return program === "node" ? script : program;
}

const plugin = /^pulumi-(resource|language|analyzer)-/;

/** Reports whether a process is the Pulumi CLI, and not one of its plugins or an editor with Pulumi.yaml in it. */
export function isPulumi(each: RunningProcess): boolean {
    const program = programOf(each);
    return program.startsWith("pulumi") && !plugin.test(program);
}

/** Reports whether a process is a resource plugin, Pulumi's own or a stand-in. */
export function isResourcePlugin(each: RunningProcess): boolean {
    return programOf(each).startsWith("pulumi-resource-");
}
