import { rmSync } from "node:fs";
import { join } from "node:path";
import { readApplications } from "../../components/applications";
import { readCluster } from "../../components/cluster";
import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { temporaryFolder } from "../../lib/temporary-folder";
import { Kubectl } from "../kubectl";
import { type Answer, askRollout } from "../placement/answer";
import { renderCheckout, rolloutOfAll } from "../placement/checkout";
import { ControlPlane } from "../placement/control-plane";
import { readHome } from "../placement/home";
import { Model } from "../placement/model";
import { changedFiles } from "../preview/differences";
import { checkOut } from "../preview/program";
import { touchedApplications } from "../preview/touched";
import { withPrivateFile } from "../private-file";
import type { Stack } from "../stack";

/** Contents of a kubeconfig for a server without a login. */
const kubeconfigFor = (server: string) =>
    JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        // Without it, the client refuses a server without TLS.
        clusters: [{ name: "home", cluster: { server, "insecure-skip-tls-verify": true } }],
        users: [{ name: "home", user: {} }],
        contexts: [{ name: "home", context: { cluster: "home", user: "home" } }],
        "current-context": "home",
    });

/**
 * Forecast for a branch on the home's own nodes, as `hack/what-if --chart` has it for one chart.
 *
 * @param server URL of the home's API server, or of the service `placement` of charts/gitops
 * @returns undefined if no pod of the branch has other requirements for a node than the running one
 */
export async function askHome(
    server: string,
    { settings }: Stack,
    base: string,
    head: string,
): Promise<Answer | undefined> {
    const folder = temporaryFolder();
    try {
        const checkout = join(folder, "home");
        await checkOut(root, head, checkout);
        const applications = readApplications(checkout, settings.cluster);
        const names = touchedApplications(settings.cluster, applications, await changedFiles(root, base, head));
        return await withPrivateFile("kubeconfig", kubeconfigFor(server), async (path) => {
            const facts = await readCluster(path);
            if (facts === undefined) {
                throw new Failure(`${server} does not answer for the home's API server: see docs/rehearse.md`);
            }
            const home = await readHome(new Kubectl(path));
            const rendered = await renderCheckout(checkout, settings, facts, names);
            return ControlPlane.with(async (plane) => {
                const model = await Model.load(plane, home);
                const rollout = await rolloutOfAll(model, home, rendered);
                const needsNodes = rollout.pods.length + rollout.claims.length > 0;
                return needsNodes ? askRollout(model, home, rollout) : undefined;
            });
        });
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}
