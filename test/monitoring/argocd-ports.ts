import { commandLineOf } from "../../lib/processes";
import { ownProcesses } from "../../sandbox/own-processes";
import { sandboxPaths } from "../../sandbox/paths";

/**
 * The ports of a sandbox's Argo CD, by workload.
 *
 * @param root folder of the checkout whose sandbox it is
 * @param option whose value they are: the port of the service, or of the metrics
 */
export function argocdPorts(root: string, option: "port" | "metrics-port"): Record<string, number> {
    return Object.fromEntries(
        ownProcesses(sandboxPaths(root)).flatMap(({ pid, path }) => {
            const port = new RegExp(` --${option} (\\d+)`).exec(commandLineOf(pid) ?? "")?.[1];
            return port ? [[path.split("/").at(-1) ?? "", Number(port)]] : [];
        }),
    );
}
