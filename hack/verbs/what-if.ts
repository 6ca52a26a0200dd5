import { Failure } from "../../lib/failure";
import { Kubectl } from "../kubectl";
import { ask } from "../placement/answer";
import { ControlPlane } from "../placement/control-plane";
import { formatAnswer } from "../placement/format";
import { type Home, readHome } from "../placement/home";
import { Model } from "../placement/model";
import { newNode } from "../placement/new-node";
import { readStack, stackOption, withKubeconfig } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** Exit code when a service stops. */
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
            json: { type: "boolean", describe: "Print JSON" },
        }),
    examples: [
        ["$0 --without nas", "what stops, what moves, what is restored if the node nas dies"],
        ["$0 --add 4,16Gi,amd64", "the pods that a new node would start"],
        ["$0 --without pi --add 4,16Gi,amd64", "a node in exchange for another"],
    ],
    exitCodes: `, ${somethingStops} a service stops`,
    run: async ({ stack: name, without, add, json }) => {
        if (without.length + add.length === 0) {
            throw new Failure("name a change: --without NODE or --add CPU,MEMORY,ARCHITECTURE", exitCodes.usage);
        }
        const added = add.map((text, index) => newNode(text, `new-${index + 1}`));
        const stack = await readStack(name);
        const home = await withKubeconfig(stack, (path) => readHome(new Kubectl(path)));
        checkNames(home, without);
        const answer = await ControlPlane.with(async (plane) =>
            ask(await Model.load(plane, home), home, { without, add: added }),
        );
        const question = [
            ...(without.length > 0 ? [`without ${without.join(" and ")}`] : []),
            ...(add.length > 0 ? [`with a new node of ${add.join(" and of ")}`] : []),
        ].join(", ");
        const text = json ? JSON.stringify(answer, undefined, 2) : formatAnswer(`The home ${question}:`, answer);
        process.stdout.write(`${text}\n`);
        return answer.stops.length + answer.mayStop.length > 0 ? somethingStops : exitCodes.done;
    },
});
