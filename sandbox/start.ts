import { join, relative } from "node:path";
import { runMain } from "../lib/failure";
import { root } from "../lib/root";
import { endGracefully, throwIfInterrupted } from "../lib/run";
import { applicationsTable, readApplicationObjects } from "./applications-table";
import { kubeApi } from "./kube-api";
import type { SandboxPaths } from "./paths";
import { byHand, pulumiUp } from "./pulumi";
import { exclusively, startSandbox } from "./sandbox";
import { stack } from "./stack-state";

function report(line: string): void {
    process.stdout.write(`${line}\n`);
}

async function showResult(paths: SandboxPaths): Promise<void> {
    const api = kubeApi(paths.kubeconfig);
    const short = (path: string) => relative(process.cwd(), path) || ".";
    try {
        report(`\n${applicationsTable(await readApplicationObjects(api))}\n`);
    } finally {
        api.close();
    }
    report(`Cluster   kubectl --kubeconfig ${short(paths.kubeconfig)} get pods --all-namespaces`);
    report(`Logs      ${short(paths.logs)}/ and ${short(join(paths.kwok, "clusters/hearth/logs"))}/`);
    report(`By hand   ${byHand} preview --stack ${stack}`);
    report("End       npm stop");
}

/** `npm start`: the sandbox, then the Pulumi program on it. */
async function main(): Promise<number> {
    endGracefully();
    return exclusively(root, async () => {
        const start = Date.now();
        const { paths } = await startSandbox(root, report);
        throwIfInterrupted();
        const exitCode = await pulumiUp(root, report);
        if (exitCode !== 0) {
            throwIfInterrupted();
            process.stderr.write(
                `\nstart: pulumi up exited with code ${exitCode}. The sandbox keeps running: fix the error ` +
                    `above and rerun \`npm start\`; it continues from here. \`hack/doctor -s ${stack}\` checks tools, passphrase and secrets. Logs: ${relative(process.cwd(), paths.logs)}/\n`,
            );
            return exitCode;
        }
        await showResult(paths);
        report(`\nDone in ${((Date.now() - start) / 1000).toFixed(1)} s.`);
        return 0;
    });
}

runMain("start", main);
