import { existsSync, readFileSync } from "node:fs";
import { readApplications } from "../../components/applications";
import { backendFolder } from "../../config/backend";
import { readYaml } from "../../config/yaml";
import { root } from "../../lib/root";
import { generatedValues } from "../generated-values";
import { Kubectl } from "../kubectl";
import { withPrivateFile } from "../private-file";
import { adoptObjects } from "../recovery/adopt";
import { knownReleases } from "../recovery/deployment";
import { repairBackend } from "../recovery/half-written";
import { readLocks } from "../recovery/locks";
import { makeMissingObjects } from "../recovery/missing-objects";
import { findCluster } from "../recovery/nodes";
import { exportState, type Recovery, recover } from "../recovery/recover";
import { pulumi, pulumiWith, readStack, type Stack, stackOption, withKubeconfig } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** Calls `use` with the stack's cluster; not while it has no kubeconfig yet. */
async function withCluster(
    stack: Stack,
    found: string | undefined,
    use: (kubectl: Kubectl) => Promise<void>,
): Promise<void> {
    const { name, kubeconfigPath, hasKubeconfig } = stack;
    if (found !== undefined) {
        return withPrivateFile("kubeconfig", found, (path) => use(new Kubectl(path)));
    }
    const output = ["stack", "output", "kubeconfig", "--show-secrets", "--stack", name];
    const isKnown =
        kubeconfigPath === undefined
            ? hasKubeconfig || (await pulumi(...output).catch(() => "")) !== ""
            : existsSync(kubeconfigPath);
    return isKnown ? withKubeconfig(stack, (path) => use(new Kubectl(path))) : undefined;
}

/** Names of the Helm releases that Argo CD manages. */
function releasesInGit({ settings }: Stack): Set<string> {
    return new Set(
        readApplications(root, settings.cluster).flatMap(({ manifest }) => {
            const [, ...charts] = manifest.spec.sources;
            return charts.flatMap(({ helm }) => helm?.releaseName ?? []);
        }),
    );
}

/** `hack/recover` */
export const verb = defineVerb({
    describe:
        "Repair what keeps the next `pulumi up` from completing: after a killed run, a lost state, " +
        "or deleted objects of a Helm release",
    options: (parser) => parser.options(stackOption),
    examples: [["$0 --stack home && npx pulumi up --stack home", "continue where the killed run stopped"]],
    run: async ({ stack: given }) => {
        const { url } = JSON.parse(await pulumi("whoami", "--verbose", "--json"));
        const folder = backendFolder(url, root);
        const report = (line: string) => process.stdout.write(`${line}\n`);
        if (folder !== undefined) {
            for (const lost of repairBackend(folder, report).lost) {
                await pulumi("stack", "select", "--create", lost);
            }
        }
        const described = await readStack(given);
        const { name: stack } = described;
        if (folder === undefined) {
            report(
                `Locks are in ${url} and were not inspected; \`npx pulumi cancel --stack ${stack}\` removes them all`,
            );
        }
        const project = String(Object(readYaml(readFileSync("Pulumi.yaml", "utf8"))).name);
        const recovery: Recovery = {
            root,
            stack,
            locks: folder === undefined ? [] : readLocks(folder, project, stack.split("/").at(-1) ?? stack),
            pulumi: (args, input) => pulumiWith([...args, "--stack", stack], { input }),
            report,
        };
        await recover(recovery);
        const found = await findCluster(described, recovery);
        await withCluster(described, found, async (kubectl) => {
            await adoptObjects(recovery, kubectl, generatedValues(root, described));
            const inGit = releasesInGit(described);
            for (const release of knownReleases(await exportState(recovery)).filter(({ name }) => !inGit.has(name))) {
                await makeMissingObjects(kubectl, release, report);
            }
        });
        report(`Nothing blocks \`npx pulumi up --stack ${stack}\``);
        return exitCodes.done;
    },
});
