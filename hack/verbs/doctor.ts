import { Failure } from "../../lib/failure";
import { clusterChecks, type Finding, machineChecks, stackChecks } from "../checks";
import { colors } from "../colors";
import { readStack, stackOption } from "../stack";
import { formatTable } from "../table";
import { defineVerb, exitCodes } from "../verb";

/** Exit code when a check fails. */
const unwell = 3;

async function stackFindings(name: string | undefined, triesExport: boolean): Promise<Finding[]> {
    try {
        const stack = await readStack(name);
        return (await Promise.all([stackChecks(stack), clusterChecks(stack, triesExport)])).flat();
    } catch (error) {
        if (error instanceof Failure) {
            return [{ what: "stack", good: false, found: error.message, remedy: "fix that first" }];
        }
        throw error;
    }
}

/** `hack/doctor` */
export const verb = defineVerb({
    describe: "Check this machine, the stack and the cluster: a line for each check, with the fix",
    options: (parser) =>
        parser.options({
            ...stackOption,
            export: { type: "boolean", describe: "Try the NFS export with a pod, which needs no `pulumi up` before" },
        }),
    exitCodes: `, ${unwell} a check failed`,
    run: async ({ stack, export: triesExport = false }) => {
        const findings = (await Promise.all([...machineChecks(), stackFindings(stack, triesExport)])).flat();
        const rows = findings.map(({ what, good, found }) => [
            good ? colors.green("ok") : colors.red("bad"),
            what,
            good ? found : "see below",
        ]);
        process.stdout.write(`${formatTable(["", "CHECK", "FOUND"], rows)}\n`);
        const bad = findings.filter(({ good }) => !good);
        for (const { what, found, remedy } of bad) {
            process.stdout.write(`\n${colors.bold(what)}: ${found}\n  ${remedy}\n`);
        }
        for (const { what, note } of findings.filter((each) => each.note !== undefined)) {
            process.stdout.write(`\n${colors.bold(what)}: ${note}\n`);
        }
        return bad.length > 0 ? unwell : exitCodes.done;
    },
});
