import { Failure } from "../../lib/failure";
import { deleteDeadNode, type ExportedState, urnsOfNode, withoutResources } from "../dead-node";
import { Kubectl } from "../kubectl";
import { pulumi, pulumiWith, readStack, stackOption, withKubeconfig } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** `hack/forget-node` */
export const verb = defineVerb({
    parameters: "<node>",
    describe: "Remove a dead node from the cluster and from the stack's state",
    options: (parser) =>
        parser
            .positional("node", { type: "string", demandOption: true, describe: "The node's name" })
            .options(stackOption),
    examples: [["$0 node-2 && npx pulumi up", "continue without node-2, which is no longer in hearth:nodes"]],
    run: async ({ node, stack: given }) => {
        const stack = await readStack(given);
        const name = ["--stack", stack.name];
        const wasInCluster = await withKubeconfig(stack, (path) => deleteDeadNode(new Kubectl(path), node));
        const state: ExportedState = JSON.parse(await pulumi("stack", "export", ...name));
        const urns = urnsOfNode(state, node);
        if (!wasInCluster && urns.length === 0) {
            throw new Failure(`neither the cluster nor stack ${stack.name} has a node ${node}`);
        }
        if (urns.length > 0) {
            await pulumiWith(["stack", "import", ...name], { input: JSON.stringify(withoutResources(state, urns)) });
        }
        process.stdout.write(
            `${node} is ${wasInCluster ? "removed from the cluster and " : ""}forgotten. ` +
                `If hearth:nodes still lists it, remove it or replace it there; then run \`npx pulumi up --stack ${stack.name}\`\n`,
        );
        return exitCodes.done;
    },
});
