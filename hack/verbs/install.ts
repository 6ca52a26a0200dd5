import { type Application, podSecurity, readApplications } from "../../components/applications";
import { clusterValues } from "../../components/overrides";
import { podSecurityLabel } from "../../components/pod-security";
import { readSecretDeclarations } from "../../components/secret-declarations";
import { invalid, quoted } from "../../config/mistakes";
import { duration } from "../../config/schema";
import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { chartNames, findApplication } from "../application";
import { Kubectl } from "../kubectl";
import { asArgoCD, asStream, byNamespace, isHook, type Manifest, parseManifests, tracked } from "../manifests";
import { render } from "../render";
import { clusterFacts, readStack, stackOption, withKubeconfig } from "../stack";
import { upSystem } from "../system";
import { defineVerb, exitCodes } from "../verb";

function report(line: string): void {
    process.stdout.write(`${line}\n`);
}

/** A service that is not committed yet has no namespace: it gets the one that Argo CD would create. */
async function ensureNamespace(kubectl: Kubectl, application: Application): Promise<void> {
    const { namespace: name } = application;
    if ((await kubectl.run(["get", "namespace", name, "--ignore-not-found", "--output", "name"])) !== "") {
        return;
    }
    const labels = { [podSecurityLabel]: podSecurity(application) };
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
    await kubectl.run(["apply", "--server-side", "--filename", "-"], JSON.stringify(namespace));
    report(`namespace/${name} created`);
}

async function checkSecret(kubectl: Kubectl, { name, namespace }: Application): Promise<void> {
    const file = `charts/${name}/secrets.yaml`;
    if (Object.keys(readSecretDeclarations(root, [name])[name] ?? {}).length === 0) {
        return;
    }
    const secret = ["secret", `${name}-secrets`, "--namespace", namespace];
    if ((await kubectl.run(["get", ...secret, "--ignore-not-found", "--output", "name"])) === "") {
        throw new Failure(
            `${file} declares secrets, and Secret ${name}-secrets is missing in namespace ${namespace}: ` +
                "run `npx pulumi up` once, which creates it",
        );
    }
}

/** Applies objects; definitions first, since their objects are unknown until the API server serves them. */
async function apply(kubectl: Kubectl, manifests: readonly Manifest[], namespace: string): Promise<void> {
    const isDefinition = ({ kind }: Manifest) => kind === "CustomResourceDefinition";
    const definitions = manifests.filter(isDefinition);
    const others = manifests.filter((each) => !isDefinition(each));
    if (definitions.length > 0) {
        const names = definitions.map(({ metadata }) => `customresourcedefinition/${metadata.name}`);
        await kubectl.run(["apply", ...asArgoCD, "--filename", "-"], asStream(definitions));
        await kubectl.run(["wait", "--for=condition=Established", "--timeout=60s", ...names]);
    }
    for (const [each, objects] of byNamespace(others, namespace)) {
        await kubectl.run(["apply", ...asArgoCD, "--namespace", each, "--filename", "-"], asStream(objects));
    }
}

/** Read before anything is applied: kubectl would reject it after that. */
function checkTimeout(text: string): void {
    const { error } = duration.safeParse(text);
    if (error) {
        throw new Failure(invalid("--timeout", quoted(text), String(error.issues[0]?.message)), exitCodes.usage);
    }
}

/** `hack/install` */
export const verb = defineVerb({
    parameters: "<chart>",
    describe:
        "Deploy a chart of this checkout now, without Argo CD; it stays until the next commit that touches the chart",
    candidates: () => [...chartNames(), "system"],
    options: (parser) =>
        parser
            .positional("chart", {
                type: "string",
                demandOption: true,
                describe: "Name of a folder under charts/; system for everything below the Applications, by Pulumi",
            })
            .options({
                ...stackOption,
                timeout: { type: "string", default: "5m", describe: "How long its pods may take to become ready" },
            }),
    examples: [
        ["$0 jellyfin", "deploy charts/jellyfin from this checkout, committed or not"],
        ["$0 system", "MetalLB, cert-manager, NFS CSI, descheduler, Argo CD"],
    ],
    run: async ({ chart, stack: name, timeout }) => {
        checkTimeout(timeout);
        const stack = await readStack(name);
        if (chart === "system") {
            return upSystem(stack.name);
        }
        const application = findApplication(root, stack.settings.cluster, chart);
        const facts = await clusterFacts(stack);
        const cluster = clusterValues(root, stack.settings, readApplications(root, stack.settings.cluster), facts);
        const manifests = parseManifests(await render(root, application, stack.settings, cluster));
        const hooks = manifests.filter(isHook);
        const kept = manifests.filter((each) => !isHook(each)).map((each) => tracked(application, each));
        return withKubeconfig(stack, async (kubeconfig) => {
            const kubectl = new Kubectl(kubeconfig);
            await ensureNamespace(kubectl, application);
            await checkSecret(kubectl, application);
            await apply(kubectl, kept, application.namespace);
            report(`${kept.length} objects of charts/${chart} applied`);
            for (const { kind, metadata } of hooks) {
                report(`${kind} ${metadata.name} left out: it is a hook, which runs when Argo CD syncs`);
            }
            for (const { kind, metadata } of kept.filter((each) =>
                ["Deployment", "StatefulSet", "DaemonSet"].includes(each.kind),
            )) {
                const workload = `${kind.toLowerCase()}/${metadata.name}`;
                const inNamespace = ["--namespace", metadata.namespace ?? application.namespace];
                await kubectl.run(["rollout", "status", workload, ...inNamespace, `--timeout=${timeout}`]);
                report(`${workload} is ready`);
            }
            report(
                `Argo CD shows ${chart} OutOfSync where this differs from ${stack.settings.repository.revision}, and leaves ` +
                    "it so until a commit touches the chart. Push yours to keep it.",
            );
            return exitCodes.done;
        });
    },
});
