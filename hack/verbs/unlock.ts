import { readStack, stackOption } from "../stack";
import { hostKeysInState, nodeIsUp, nodeToUnlock, storagePassphrase, unlockDisks, waitForNode } from "../unlock-disks";
import { defineVerb, exitCodes } from "../verb";

/** `hack/unlock` */
export const verb = defineVerb({
    parameters: "<node>",
    describe: "Opens a node's data disks after a reboot, with the passphrase of the stack's config",
    options: (parser) =>
        parser
            .positional("node", { type: "string", demandOption: true, describe: "The node's name in the config" })
            .options(stackOption),
    examples: [["hack/unlock nas", "Unlocks the node nas, and waits until its system has started"]],
    run: async ({ node: name, stack: given }) => {
        const stack = await readStack(given);
        const node = nodeToUnlock(stack.name, name, await hostKeysInState(stack.name));
        if (await nodeIsUp(node)) {
            process.stdout.write(`${name} is up: its disks are open, or the node does not wait for them\n`);
            return exitCodes.done;
        }
        process.stdout.write(await unlockDisks(node, await storagePassphrase(stack.name)));
        await waitForNode(node);
        process.stdout.write(`${name} is up\n`);
        return exitCodes.done;
    },
});
