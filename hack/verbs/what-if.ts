import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { chartNames, findApplication } from "../application";
import { Kubectl } from "../kubectl";
import { askNodes, askRollout, askUpgrade, isBad } from "../placement/answer";
import { renderCheckout, rolloutOfAll } from "../placement/checkout";
import { ControlPlane } from "../placement/control-plane";
import { formatQuestion, formatUpgrade } from "../placement/format";
import { type Home, readHome } from "../placement/home";
import { Model } from "../placement/model";
import { newNode } from "../placement/new-node";
import { clusterFacts, readStack, stackOption, withKubeconfig } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** Exit code when a service stops, or gets no node. */
const somethingStops = 3;

/** @throws Failure that lists the nodes, for a name that none of them has */
function checkNames({ nodes }: Home, without: readonly string[]): void {
    const names = nodes.map(({ metadata }) => metadata.name);
    const unknown = without.find((name) => !names.includes(name));
    if (unknown !== undefined) {
        throw new Failure(
            `invalid --without: got ${JSON.stringify(unknown)}, expected a node of the cluster: ${names.join(", ")}`,
            exitCodes.usage,
        );
    }
}

/** `hack/what-if` */
export const verb = defineVerb({
    describe:
        "Services that would stop, move or no longer fit, as the real scheduler places them in a copy of the home",
    options: (parser) =>
        parser.options({
            ...stackOption,
            without: {
                type: "string",
                array: true,
                nargs: 1,
                default: [],
                defaultDescription: "none",
                describe: "A node that is lost, with its disks; may be repeated",
            },
            add: {
                type: "string",
                array: true,
                nargs: 1,
                default: [],
                defaultDescription: "none",
                describe: "A node that is added: processors, memory, architecture; may be repeated",
            },
            chart: { type: "string", describe: "A folder under charts/, as this checkout has it" },
            upgrade: { type: "boolean", describe: "An upgrade of k3s, one node after the other" },
            json: { type: "boolean", describe: "Print JSON" },
        }),
    examples: [
        ["$0 --without nas", "services that stop, move and are restored if the node nas is lost"],
        ["$0 --without pi --add 4,16Gi,amd64", "replace one node by another"],
        ["$0 --chart immich", "nodes for the pods of the chart, and services that make room for them"],
        ["$0 --upgrade", "services that stop while their node is drained"],
    ],
    exitCodes: `, ${somethingStops} a service stops, or the chart does not fit`,
    run: async ({ stack: name, without, add, chart: folder, upgrade = false, json }) => {
        const changes = [without.length + add.length > 0, folder !== undefined, upgrade].filter(Boolean);
        if (changes.length !== 1) {
            throw new Failure(
                "name one change: --without NODE and --add CPU,MEMORY,ARCHITECTURE, --chart FOLDER, or --upgrade",
                exitCodes.usage,
            );
        }
        const added = add.map((text, index) => newNode(text, `new-${index + 1}`));
        const chart = folder?.replace(/^(?:\.\/)?charts\//, "").replace(/\/$/, "");
        if (chart !== undefined && !chartNames().includes(chart)) {
            throw new Failure(
                `invalid --chart: got ${JSON.stringify(folder)}, expected a folder under charts/: ${chartNames().join(", ")}`,
                exitCodes.usage,
            );
        }
        const stack = await readStack(name);
        const home = await withKubeconfig(stack, (path) => readHome(new Kubectl(path)));
        checkNames(home, without);
        const rendered =
            chart === undefined
                ? undefined
                : await renderCheckout(root, stack.settings, await clusterFacts(stack), [
                      findApplication(root, stack.settings.cluster, chart).name,
                  ]);
        const print = (value: object, text: string) =>
            process.stdout.write(`${json ? JSON.stringify(value, undefined, 2) : text}\n`);
        return ControlPlane.with(async (plane) => {
            const model = await Model.load(plane, home);
            if (upgrade) {
                const answers = await askUpgrade(model, home);
                print(answers, formatUpgrade(answers));
                return answers.some((each) => isBad(each) || each.refused.length > 0) ? somethingStops : exitCodes.done;
            }
            const answer = rendered
                ? await askRollout(model, home, await rolloutOfAll(model, home, rendered))
                : await askNodes(model, home, { without, add: added });
            const question = [
                ...(without.length > 0 ? [`without ${without.join(" and ")}`] : []),
                ...(add.length > 0 ? [`with a new node of ${add.join(" and of ")}`] : []),
                ...(chart === undefined ? [] : [`with ${chart} of this checkout`]),
            ].join(", ");
            print(answer, formatQuestion(`The home ${question}:`, answer));
            return isBad(answer) ? somethingStops : exitCodes.done;
        });
    },
});
