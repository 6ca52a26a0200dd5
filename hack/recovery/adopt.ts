import { stackFileName } from "../../config/stack-file";
import { Failure } from "../../lib/failure";
import { type GeneratedValue, keepValues, valuesInCluster } from "../generated-values";
import type { Kubectl } from "../kubectl";
import { type KnownRelease, releaseType, type StateResource } from "./deployment";
import type { Recovery } from "./recover";
import { freeRelease } from "./releases";

/** Fields of `pulumi preview --json` used here. */
export interface Preview {
    readonly steps?: readonly { readonly op: string; readonly newState?: StateResource }[];
}

/**
 * Resources that the next run would recreate, since the state has none of them.
 *
 * @param generated the generated values of the home
 */
export function creationsOf(
    { steps = [] }: Preview,
    generated: readonly GeneratedValue[],
): { readonly releases: readonly KnownRelease[]; readonly values: readonly GeneratedValue[] } {
    const created = steps.flatMap(({ op, newState }) => (op === "create" && newState ? [newState] : []));
    const names = new Set(
        created.filter(({ type }) => type.startsWith("random:")).map(({ urn }) => urn.slice(urn.lastIndexOf("::") + 2)),
    );
    return {
        releases: created
            .filter(({ type }) => type === releaseType)
            .map(({ inputs }) => ({
                namespace: String(inputs?.["namespace"] ?? "default"),
                name: String(inputs?.["name"] ?? ""),
                inState: false,
            })),
        values: generated.filter(({ chart, key }) => names.has(`${chart}-${key}`)),
    };
}

/**
 * Prepares the next run to adopt objects that exist in the cluster but not in the state: the state was lost, or is an
 * old copy. For a Helm release, its record is deleted. Generated values would be regenerated, and data encrypted with
 * them would be lost: they are written into the stack's file.
 *
 * @param generated the values that must not be lost
 * @throws Failure when there is no preview to compare with
 */
export async function adoptObjects(
    { pulumi, stack, report }: Pick<Recovery, "pulumi" | "stack" | "report">,
    kubectl: Kubectl,
    generated: readonly GeneratedValue[],
): Promise<void> {
    // The program installs its releases before it writes a secret.
    const [anyRelease] = await kubectl.list("secrets", "--all-namespaces", "--selector", "owner=helm");
    if (anyRelease === undefined) {
        return;
    }
    const preview: Preview = JSON.parse(
        await pulumi(["preview", "--json"]).catch(() => {
            // The output contains the error, among everything else.
            throw new Failure(
                `the cluster cannot be compared with the state: the preview fails. See \`npx ` +
                    `pulumi preview --stack ${stack}\`, fix it, and rerun this`,
            );
        }),
    );
    const { releases, values } = creationsOf(preview, generated);
    for (const release of releases) {
        await freeRelease(kubectl, release, report);
    }
    const found = await valuesInCluster(kubectl, values);
    await keepValues(stack, found);
    for (const { chart, key } of found) {
        report(
            `Secret ${chart}.${key} is not in the state: ${stackFileName(stack)} keeps the cluster's value, encrypted`,
        );
    }
}
