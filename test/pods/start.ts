import { join } from "node:path";
import { runMain } from "../../lib/failure";
import { endGracefully, interruptionSignal, throwIfInterrupted } from "../../lib/run";
import { shellQuote } from "../../lib/shell";
import { tool } from "../../toolchain/tools";
import { domain } from "./applications";
import { ServicesHome } from "./services";

/** Command line as a person types it. */
const typed = ([program, args]: readonly [string, readonly string[]]) =>
    [program, ...args].map((word) => (/^[\w./:=-]+$/.test(word) ? word : shellQuote(word))).join(" ");

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
    const home = await ServicesHome.create().catch((error: unknown) => {
        // Ctrl-C ends the programs that it runs, too.
        throwIfInterrupted();
        throw error;
    });
    const { cluster } = home;
    try {
        // The stack is deleted with its machines, so a killed run loses nothing.
        const run = cluster.stack.up((text) => process.stdout.write(text));
        const outcome = await Promise.race([run, interruption]);
        if (outcome === undefined) {
            return 130;
        }
        if (outcome.exitCode === 0) {
            report(await home.kubectl("get", "applications", "--namespace=argocd"));
            const visitor = await home.person();
            const kubeconfig = join(cluster.folder, "kubeconfig");
            const pods = ["--kubeconfig", kubeconfig, "get", "pods", "--all-namespaces"];
            report(`Pods   ${typed(cluster.network.command(tool("kubectl"), ...pods))}`);
            report(`Pages  ${typed(visitor.command("curl", "--cacert", visitor.ca, `https://home.${domain}`))}`);
            report("End    Ctrl-C");
        } else {
            report("pulumi up failed. The machines keep running for you to look; Ctrl-C ends them.");
        }
        await interruption;
        return outcome.exitCode;
    } finally {
        await home.remove();
    }
}

runMain("pods", main);
