import { ownProcesses } from "../../sandbox/own-processes";
import { sandboxPaths } from "../../sandbox/paths";
import { commandLineOf } from "../../toolchain/processes";

/**
 * The ports on which a sandbox's Argo CD gives its metrics, by workload.
 *
 * @param root folder of the checkout whose sandbox it is
 */
export function argocdPorts(root: string): Record<string, number> {
    return Object.fromEntries(
        ownProcesses(sandboxPaths(root)).flatMap(({ pid, path }) => {
            const port = /--metrics-port (\d+)/.exec(commandLineOf(pid) ?? "")?.[1];
            return port ? [[path.split("/").at(-1) ?? "", Number(port)]] : [];
        }),
    );
}
