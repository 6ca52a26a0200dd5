import type { Application } from "../../components/applications";
import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { pause } from "../../lib/run";
import { chartNames, findApplication } from "../application";
import { confirmed } from "../confirm";
import { Kubectl } from "../kubectl";
import { asStream, byNamespace, isHook, type Manifest, objectsIn, parseManifests } from "../manifests";
import { render } from "../render";
import { readStack, type Stack, stackOption, withKubeconfig } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** Seconds until removed objects have to be gone; pods have 30 s to end. */
const removalLimit = 120;

/** An object that Argo CD manages for an Application, from its status. */
interface Resource {
    readonly group?: string;
    readonly version: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
}

/** Any chart may own objects of a definition: deleting the definition would delete those of every other chart too. */
const isKept = ({ kind }: Manifest) => kind === "PersistentVolumeClaim" || kind === "CustomResourceDefinition";

/** Argo CD's own controller, without which no commit is deployed. */
const isArgoCD = ({ kind, metadata }: Manifest) =>
    kind === "StatefulSet" && metadata.name === "argocd-application-controller";

function list(objects: readonly Manifest[]): string {
    const lines = objects.map(({ apiVersion, kind, metadata }) => {
        const group = apiVersion.includes("/") ? `.${apiVersion.slice(0, apiVersion.indexOf("/"))}` : "";
        return `  ${kind.toLowerCase()}${group}/${metadata.name}`;
    });
    return lines.sort().join("\n");
}

/** Objects of a chart: those that Argo CD lists or, if it does not know the chart, those that installing it creates. */
async function objectsOf(kubectl: Kubectl, application: Application, { settings }: Stack): Promise<Manifest[]> {
    const { name } = application;
    const query = ["applications.argoproj.io", name, "--namespace", "argocd", "--ignore-not-found"];
    const found = await kubectl.run(["get", ...query, "--output", "json"]);
    if (found === "") {
        return parseManifests(await render(root, application, settings)).filter((each) => !isHook(each));
    }
    const resources: readonly Resource[] = JSON.parse(found).status?.resources ?? [];
    return resources.map(({ group, version, kind, ...metadata }) => ({
        apiVersion: group ? `${group}/${version}` : version,
        kind,
        metadata: { name: metadata.name, namespace: metadata.namespace },
    }));
}

/** The objects that exist in the cluster. */
async function present(
    kubectl: Kubectl,
    objects: readonly Manifest[],
    namespace: string,
): Promise<readonly Manifest[]> {
    if (objects.length === 0) {
        return [];
    }
    const all: Manifest[] = [];
    for (const [each, some] of byNamespace(objects, namespace)) {
        const query = ["get", "--namespace", each, "--filename", "-", "--ignore-not-found", "--output", "json"];
        const found = await kubectl.run(query, asStream(some));
        all.push(...(found === "" ? [] : objectsIn(JSON.parse(found))));
    }
    return all;
}

/** An object in words: kind, name and namespace. */
const nameOf = ({ kind, metadata: { name, namespace } }: Manifest) =>
    `${kind} ${name}${namespace === undefined ? "" : ` in namespace ${namespace}`}`;

/**
 * Removes objects, and waits until they are gone.
 *
 * @throws Failure with the finalizers of those that remain
 */
async function remove(kubectl: Kubectl, objects: readonly Manifest[], namespace: string): Promise<void> {
    for (const [each, some] of byNamespace(objects, namespace)) {
        const options = ["--namespace", each, "--ignore-not-found", "--wait=false", "--filename", "-"];
        await kubectl.run(["delete", ...options], asStream(some));
    }
    const end = Date.now() + removalLimit * 1_000;
    for (;;) {
        const left = await present(kubectl, objects, namespace);
        const sameAsBefore = left.filter((each) => objects.some(({ metadata }) => metadata.uid === each.metadata.uid));
        if (sameAsBefore.length === 0) {
            return;
        }
        if (Date.now() > end) {
            const held = sameAsBefore.map((each) => {
                const finalizers = each.metadata.finalizers?.join(", ") ?? "no finalizer: its pods are still ending";
                return `  ${nameOf(each)}: ${finalizers}`;
            });
            throw new Failure(
                `not removed after ${removalLimit} s, each with the finalizers that hold it:\n${held.join("\n")}\n` +
                    "The controller of a finalizer removes it: is that controller still running?",
            );
        }
        await pause(1_000);
    }
}

/** `hack/uninstall` */
export const verb = defineVerb({
    parameters: "<chart>",
    describe: "Remove the objects of a chart, without Argo CD; its data stays unless --data is given",
    candidates: chartNames,
    options: (parser) =>
        parser
            .positional("chart", { type: "string", demandOption: true, describe: "Name of a folder under charts/" })
            .options({
                ...stackOption,
                data: { type: "boolean", describe: "Remove its data volumes too. This cannot be undone." },
                yes: { alias: "y", type: "boolean", describe: "Skip the confirmation" },
            }),
    examples: [
        ["$0 jellyfin", "remove it, keep its volumes"],
        ["hack/install jellyfin", "and reinstall it, with the data that was kept"],
    ],
    run: async ({ chart, stack: name, data, yes }) => {
        const stack = await readStack(name);
        const application = findApplication(root, stack.settings.cluster, chart);
        const { namespace } = application;
        return withKubeconfig(stack, async (kubeconfig) => {
            const kubectl = new Kubectl(kubeconfig);
            const claims = ["--namespace", namespace, "--selector", `app.kubernetes.io/instance=${chart}`];
            const volumes = await kubectl.list<Manifest>("persistentvolumeclaims", ...claims);
            const objects = await objectsOf(kubectl, application, stack);
            const others = await present(
                kubectl,
                objects.filter((each) => !isKept(each)),
                namespace,
            );
            const removed = [...others, ...(data ? volumes : [])];
            if (removed.length === 0) {
                process.stdout.write(`Nothing of ${chart} is deployed.\n`);
                return exitCodes.done;
            }
            process.stdout.write(`In namespace ${namespace} this removes:\n${list(removed)}\n`);
            if (!data && volumes.length > 0) {
                process.stdout.write(`and keeps (--data removes them too):\n${list(volumes)}\n`);
            }
            if (!yes && !(await confirmed("Remove it?"))) {
                process.stdout.write("Nothing was removed.\n");
                return exitCodes.failed;
            }
            await remove(kubectl, removed, namespace);
            const back = removed.some(isArgoCD)
                ? `Argo CD is one of them: no commit is deployed before \`hack/install ${chart}\`. `
                : `Argo CD shows ${chart} OutOfSync and restores it with the next commit that touches it; ` +
                  `\`hack/install ${chart}\` does now. `;
            process.stdout.write(
                `${removed.length} objects removed. ${back}To remove it for good, remove it from ` +
                    `clusters/${stack.settings.cluster} and push.\n`,
            );
            return exitCodes.done;
        });
    },
});
