import { createInterface } from "node:readline/promises";
import { Failure } from "../../toolchain/failure";
import { chartNames, findApplication } from "../application";
import { Kubectl } from "../kubectl";
import { readStack, stackOption, withKubeconfig } from "../stack";
import { defineVerb, exitCodes } from "../verb";

const root = process.cwd();

/** An object that Argo CD keeps for an Application, as its status names it. */
interface Resource {
    readonly group?: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
}

const isData = ({ kind }: Resource) => kind === "PersistentVolumeClaim";

/** kubectl's name of a kind: the group keeps apart what has the same name in two. */
const kindOf = ({ group, kind }: Resource) => (group ? `${kind}.${group}` : kind).toLowerCase();

const list = (resources: readonly Resource[]) => resources.map((each) => `  ${kindOf(each)}/${each.name}`).join("\n");

async function confirmed(): Promise<boolean> {
    if (!process.stdin.isTTY) {
        throw new Failure("nobody is here to ask: say --yes to remove it without a question", exitCodes.usage);
    }
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    try {
        return (await terminal.question("Remove it? [y/N] ")).trim().toLowerCase() === "y";
    } finally {
        terminal.close();
    }
}

/** Claims that a StatefulSet made of its template are its data too, though no manifest names them. */
async function claims(kubectl: Kubectl, namespace: string, instance: string): Promise<Resource[]> {
    const items = await kubectl.list<{ metadata: { name: string } }>(
        "persistentvolumeclaims",
        ...["--namespace", namespace, "--selector", `app.kubernetes.io/instance=${instance}`],
    );
    return items.map(({ metadata }) => ({ kind: "PersistentVolumeClaim", namespace, name: metadata.name }));
}

/** `hack/uninstall` */
export const verb = defineVerb({
    parameters: "<chart>",
    describe: "Remove what is deployed of a chart, past Argo CD; its data stays unless --data is given",
    candidates: chartNames,
    options: (parser) =>
        parser
            .positional("chart", { type: "string", demandOption: true, describe: "Name of a folder under charts/" })
            .options({
                ...stackOption,
                data: { type: "boolean", describe: "Remove its data volumes too. There is no way back." },
                yes: { alias: "y", type: "boolean", describe: "Do not ask" },
            }),
    examples: [
        ["$0 jellyfin", "remove it, keep its volumes"],
        ["hack/install jellyfin", "and have it back, with the data that was kept"],
    ],
    run: async ({ chart, stack: name, data, yes }) => {
        const stack = await readStack(name);
        const { namespace } = findApplication(root, stack.settings.cluster, chart);
        return withKubeconfig(stack, async (kubeconfig) => {
            const kubectl = new Kubectl(kubeconfig);
            const application = ["applications.argoproj.io", chart, "--namespace", "argocd", "--ignore-not-found"];
            const found = await kubectl.run(["get", ...application, "--output", "json"]);
            const status: { resources?: readonly Resource[] } = found === "" ? {} : (JSON.parse(found).status ?? {});
            const volumes = await claims(kubectl, namespace, chart);
            const others = (status.resources ?? []).filter((each) => !isData(each));
            const removed = [...others, ...(data ? volumes : [])];
            if (removed.length === 0) {
                process.stdout.write(`Nothing of ${chart} is deployed.\n`);
                return exitCodes.done;
            }
            process.stdout.write(`In namespace ${namespace} this removes:\n${list(removed)}\n`);
            if (!data && volumes.length > 0) {
                process.stdout.write(`and keeps (--data removes them too):\n${list(volumes)}\n`);
            }
            if (!yes && !(await confirmed())) {
                process.stdout.write("Nothing was removed.\n");
                return exitCodes.failed;
            }
            for (const resource of removed) {
                const inNamespace = resource.namespace ? ["--namespace", resource.namespace] : [];
                await kubectl.run(["delete", kindOf(resource), resource.name, ...inNamespace, "--ignore-not-found"]);
            }
            process.stdout.write(
                `${removed.length} objects removed. Argo CD shows ${chart} OutOfSync and brings it back with the next commit ` +
                    `that touches it; \`hack/install ${chart}\` does now. To remove it for good, take it out of ` +
                    `clusters/${stack.settings.cluster} and push.\n`,
            );
            return exitCodes.done;
        });
    },
});
