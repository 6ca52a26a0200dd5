import { z } from "zod";
import { type NodeSettings, nodeSchema } from "../../config/nodes";
import { Failure } from "../../lib/failure";
import { confirmed } from "../confirm";
import { Kubectl } from "../kubectl";
import { installPowerOn, reachable, shutDownNodes, startServices } from "../shutdown/hosts";
import { nodeGroups } from "../shutdown/plan";
import { readPlan, stopServices, writeRecord } from "../shutdown/services";
import { sshLogin } from "../ssh-login";
import { pulumi, readStack, type Stack, stackOption, withKubeconfig } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** Nodes of the stack that are on. @throws Failure for a cluster that was not built from nodes */
function nodesOf({ name, file }: Stack): readonly NodeSettings[] {
    const nodes = z.array(nodeSchema).safeParse(file.config["hearth:nodes"] ?? []).data ?? [];
    if (nodes.length === 0) {
        throw new Failure(`Pulumi.${name}.yaml has no hearth:nodes, so hack/power cannot log in to them`);
    }
    return nodes.filter(({ offline }) => !offline);
}

const namesOf = (nodes: readonly NodeSettings[]) => nodes.map(({ name }) => name).join(", ");

const report = (line: string) => process.stdout.write(`${line}\n`);

/** Stops the services in order. The nodes are shut down even if that fails: a UPS does not wait. */
async function stopHome(stack: Stack, servers: readonly NodeSettings[], prepare: () => Promise<void>): Promise<void> {
    await withKubeconfig(stack, async (path) => {
        const kubectl = new Kubectl(path);
        const steps = await readPlan(kubectl);
        await prepare();
        await writeRecord(kubectl, steps);
        report(`${namesOf(servers)} will start the services again; \`hack/power on\` does it before that`);
        await stopServices(kubectl, steps, report);
    });
}

/** `hack/power` */
export const verb = defineVerb({
    parameters: "<state>",
    describe: "Stops tiers 3 to 1, then databases, then the nodes; services start by themselves with the nodes",
    options: (parser) =>
        parser
            .positional("state", {
                choices: ["off", "on"] as const,
                demandOption: true,
                describe: "off; or on, to start the services again after an interrupted off",
            })
            .options({
                ...stackOption,
                yes: {
                    alias: "y",
                    type: "boolean",
                    describe: "Skip the confirmation; shut down the nodes even if services do not stop",
                },
            }),
    examples: [
        ["$0 off", "before maintenance of the power supply"],
        ["$0 off --yes", "for a UPS whose battery runs low"],
    ],
    run: async ({ state, stack: given, yes }) => {
        const stack = await readStack(given);
        const nodes = nodesOf(stack);
        const login = await sshLogin(stack.file.config, () =>
            pulumi("config", "get", "--path", "hearth:ssh.privateKey", "--stack", stack.name),
        );
        const servers = nodes.filter(({ role }) => role === "server");
        if (state === "on") {
            await startServices(servers, login);
            report("the services are started: `hack/status` shows when they are ready");
            return exitCodes.done;
        }
        const on = await reachable(nodes, login);
        const silent = nodes.filter((each) => !on.includes(each));
        if (on.length === 0) {
            throw new Failure(`no node answers: ${namesOf(nodes)}`);
        }
        const groups = nodeGroups(on, [stack.settings.nfs?.server, login.jumpHost?.address]);
        if (silent.length > 0) {
            report(`not shut down, since they do not answer: ${namesOf(silent)}`);
        }
        const order = groups.map(namesOf).join("; then ");
        if (!yes && !(await confirmed(`Stop every service of ${stack.name} and shut down ${order}?`))) {
            return exitCodes.failed;
        }
        const onServers = on.filter((each) => servers.includes(each));
        await stopHome(stack, onServers, () => installPowerOn(onServers, login)).catch((error: unknown) => {
            if (!yes || !(error instanceof Failure) || error.exitCode === 130) {
                throw error;
            }
            report(`the services end with their nodes: ${error.message}`);
        });
        await shutDownNodes(groups, login, report);
        report("Every node is off. Nodes whose disks need a passphrase wait for `hack/unlock` when they are on again.");
        return exitCodes.done;
    },
});
