import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { nodeSchema } from "../../config/nodes";
import { Failure } from "../../lib/failure";
import { asRoot, ssh } from "../../lib/ssh";
import { Kubectl } from "../kubectl";
import { sshLogin } from "../ssh-login";
import { pulumi, readStack, stackOption, withKubeconfig } from "../stack";
import { hostKeysInState, nodeToUnlock, storagePassphrase, unlockDisks } from "../unlock-disks";
import { defineVerb, exitCodes } from "../verb";

/** Seconds that a node may take from its restart until it is Ready. */
const limit = 900;

interface Node {
    readonly metadata: { readonly name: string };
    readonly spec?: { readonly unschedulable?: boolean };
    readonly status?: {
        readonly conditions?: readonly { readonly type: string; readonly status: string }[];
        readonly nodeInfo?: { readonly bootID?: string };
    };
}

const isReady = ({ status }: Node) =>
    status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;

/** Polls every few seconds until there is an answer. */
async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + limit * 1_000;
    while (!(await ask())) {
        if (Date.now() > end) {
            throw new Failure(`${what}: not within ${limit} seconds. Check the node's console; it stays cordoned`);
        }
        await pause(3_000);
    }
}

/** `hack/reboot` */
export const verb = defineVerb({
    parameters: "<node>",
    describe: "Drains a node, restarts it, opens its data disks, and uncordons it",
    options: (parser) =>
        parser
            .positional("node", { type: "string", demandOption: true, describe: "The node's name in the config" })
            .options(stackOption),
    examples: [["$0 nas", "Restarts the node nas, for instance after an update of its kernel"]],
    run: async ({ node: name, stack: given }) => {
        const stack = await readStack(given);
        const nodes = z.array(nodeSchema).safeParse(stack.file.config["hearth:nodes"] ?? []).data ?? [];
        const node = nodes.find((each) => each.name === name);
        if (node === undefined) {
            const names = nodes.map((each) => each.name).join(", ") || "none";
            throw new Failure(`Pulumi.${stack.name}.yaml has no node ${name}; nodes in it: ${names}`, exitCodes.usage);
        }
        const report = (line: string) => process.stdout.write(`${line}\n`);
        const login = await sshLogin(stack.file.config, () =>
            pulumi("config", "get", "--path", "hearth:ssh.privateKey", "--stack", stack.name),
        );
        const startOf = async () => {
            const bootId = ["cat", "/proc/sys/kernel/random/boot_id"];
            const { code, stdout } = await ssh(node, bootId, { ...login, input: "", timeout: 30_000 });
            return code === 0 ? stdout.trim() : "";
        };
        const before = await startOf();
        if (before === "") {
            throw new Failure(`${name} does not answer at ${node.address}: check whether it is on`);
        }
        await withKubeconfig(stack, async (path) => {
            const kubectl = new Kubectl(path);
            const live = await kubectl.list<Node>("nodes");
            const others = live.filter(({ metadata }) => metadata.name !== name);
            const wasCordoned = live.some(({ metadata, spec }) => metadata.name === name && spec?.unschedulable);
            const uncordon = async () => {
                if (!wasCordoned) {
                    await kubectl.run(["uncordon", name]);
                }
            };
            await kubectl.run(["cordon", name]);
            if (others.length > 0) {
                report(`draining ${name}`);
                const options = ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s"];
                await kubectl.run(["drain", name, ...options]).catch(async (error: unknown) => {
                    await uncordon();
                    throw error;
                });
            }
            report(`restarting ${name}`);
            // The session ends with the system that it runs on.
            const input = "systemctl reboot\n";
            const { code, stderr } = await ssh(node, [asRoot("reboot")], { ...login, input, timeout: 30_000 });
            // A signal of the shutdown may end the session first.
            if (code !== null && code > 0 && code < 128) {
                await uncordon();
                throw new Failure(`${name} does not restart: ${stderr.trim()}`);
            }
            if (node.unlock !== undefined) {
                const locked = nodeToUnlock(stack.name, name, await hostKeysInState(stack.name));
                const passphrase = await storagePassphrase(stack.name);
                await until(`${name} waits for its passphrase`, () =>
                    unlockDisks(locked, passphrase).then(
                        () => true,
                        () => false,
                    ),
                );
                report(`the disks of ${name} are open`);
            }
            let after = before;
            await until(`${name} has started`, async () => {
                after = await startOf();
                return !["", before].includes(after);
            });
            // A node that restarts within 40 seconds stays Ready in the API, so its kubelet must have reported since.
            const isBack = (each: Node) =>
                each.metadata.name === name && each.status?.nodeInfo?.bootID === after && isReady(each);
            await until(`${name} is Ready`, async () =>
                kubectl.list<Node>("nodes").then(
                    (now) => now.some(isBack),
                    () => false,
                ),
            );
            await uncordon();
            if (wasCordoned) {
                report(`${name} was cordoned before, and stays cordoned`);
            }
        });
        report(`${name} is Ready`);
        return exitCodes.done;
    },
});
