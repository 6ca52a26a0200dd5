import { describe } from "../lib/failure";
import { argocdPrograms } from "./argocd-process";
import { prepareCharts, serveChartRepository } from "./chart-repository";
import { startControllers } from "./controllers/index";
import type { DaemonHealth, DaemonMessage } from "./daemon-control";
import { serveEgress } from "./egress";
import { serveRepository } from "./git-server";
import { startGitea } from "./gitea";
import { followGitea } from "./gitea-pod";
import type { Closeable } from "./http-server";
import { kubeApi } from "./kube-api";
import { operatorPrograms } from "./operators";
import { sandboxPaths } from "./paths";
import { PodProcesses } from "./pod-processes";
import { readSandboxSettings } from "./settings";

/** Milliseconds for everything to end gracefully. */
const closeLimit = 8_000;

function log(line: string): void {
    process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}

function report(message: DaemonMessage): void {
    if (process.connected) {
        process.send?.(message, () => process.disconnect());
    }
}

/**
 * The sandbox's background process: everything except the control plane. It reports to the command that started it
 * whether it is ready, and outlives it.
 */
async function main(root: string, fingerprint: string): Promise<void> {
    const paths = sandboxPaths(root);
    const settings = readSandboxSettings(root);
    const parts: Closeable[] = [];
    const end = async (exitCode: number) => {
        setTimeout(() => process.exit(exitCode), closeLimit).unref();
        await Promise.allSettled(parts.reverse().map((part) => part.close()));
        log("ended");
        process.exit(exitCode);
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
        process.once(signal, () => void end(0));
    }
    // A terminal that closes must not end it.
    process.on("SIGHUP", () => {});
    try {
        const health = (): DaemonHealth => ({ directory: paths.directory, fingerprint });
        if (settings.gitea === undefined) {
            parts.push(await serveRepository(paths, settings));
        } else if (settings.gitea === "in the cluster") {
            parts.push(await followGitea(paths, settings.gitPort, log));
        } else {
            parts.push(await startGitea(paths, settings.gitPort, settings.gitea, log));
        }
        await prepareCharts(paths.charts);
        parts.push(await serveChartRepository(settings.chartsPort, paths.charts, health));
        parts.push(await startControllers(paths.kubeconfig, log));
        const api = kubeApi(paths.kubeconfig);
        const programs = [
            ...(await operatorPrograms(paths, api)),
            ...(await argocdPrograms(paths, api, settings.argocdPort, log)),
        ];
        const processes = new PodProcesses(programs, api, log);
        parts.push(processes, await serveEgress(paths, (address, port) => processes.portOf(address, port)));
    } catch (error) {
        log(describe(error));
        report({ failure: describe(error) });
        await end(1);
    }
    log("ready");
    report({ ready: true });
}

const [root = ".", fingerprint = ""] = process.argv.slice(2);
void main(root, fingerprint);
