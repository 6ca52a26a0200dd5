import { join } from "node:path";
import { runMain } from "../../lib/failure";
import { endGracefully, interruptionSignal } from "../../lib/run";
import { tool } from "../../toolchain/tools";
import { MachineHome } from "../provision/home";
import { domain, running } from "./applications";
import { prepareCheckout } from "./checkout";
import { kubectlOf } from "./pods";
import { type Surroundings, serve } from "./surroundings";
import { Visitor } from "./visitor";

const report = (line: string) => process.stdout.write(`${line}\n`);

/**
 * `npm run pods`, as root: builds a home of real pods on this machine by `pulumi up`, from bare hosts, and keeps it
 * until Ctrl-C.
 */
async function main(): Promise<number> {
    endGracefully();
    const interruption = new Promise<undefined>((done) => {
        interruptionSignal.addEventListener("abort", () => done(undefined), { once: true });
    });
    report("Starting three machines and making the images of their pods.");
    const home = await MachineHome.withServices("s1", "a1", "a2");
    let surroundings: Surroundings | undefined;
    let visitor: Visitor | undefined;
    try {
        surroundings = await serve(home.network, running);
        await prepareCheckout(home);
        // The stack is deleted with its machines, so a killed run loses nothing.
        const run = home.stack.up((text) => process.stdout.write(text));
        const outcome = await Promise.race([run, interruption]);
        if (outcome === undefined) {
            return 130;
        }
        if (outcome.exitCode === 0) {
            const kubectl = kubectlOf(home);
            report(await kubectl("get", "applications", "--namespace=argocd"));
            const authority = '--output=go-template={{index .data "ca.crt" | base64decode}}';
            const ca = await kubectl("get", "secret", "glance-tls", "--namespace=glance", authority);
            visitor = await Visitor.arrive(home.network, (await home.stack.output("dns")).trim(), ca);
            const within = home.network.command(tool("kubectl")).flat().join(" ");
            report(`Pods   ${within} --kubeconfig ${join(home.folder, "kubeconfig")} get pods --all-namespaces`);
            report(`Pages  ${visitor.command("curl")} --cacert ${visitor.ca} https://home.${domain}`);
            report("End    Ctrl-C");
        } else {
            report("pulumi up failed. The machines keep running for you to look; Ctrl-C ends them.");
        }
        await interruption;
        return outcome.exitCode;
    } finally {
        visitor?.leave();
        surroundings?.close();
        await home.remove();
    }
}

runMain("pods", main);
