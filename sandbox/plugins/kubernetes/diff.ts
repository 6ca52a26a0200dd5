import { detailedDiff, isWithin, mergePatch, parsePath } from "../shared/property-diff";
import type { DiffRequest, DiffResponse } from "../shared/provider";
import type { Properties } from "../shared/values";
import { isJobReady } from "./await/job";
import { parseCheckpoint, prune, toObject } from "./checkpoint";
import { forceNewPaths } from "./force-new";
import { isPatchResource } from "./kinds";
import { isAnnotated, isAutonamed, isNamed, isSameObject } from "./metadata";
import { normalizeInputs } from "./normalize";
import { apiVersionOf, gvkOf, kindOf, nameOf, namespaceOf, setMetadata } from "./objects";
import { isNamespaced, type Session, Unreachable } from "./session";

async function isUnreadyJob({ cluster, host }: Session, urn: string, inputs: Properties, live: Properties) {
    if (cluster instanceof Unreachable) {
        host.log("warning", urn, "Cluster is unreachable, skipping replaceUnready check");
        return false;
    }
    if (kindOf(inputs) !== "Job") {
        host.log("warning", urn, "replaceUnready annotation is not supported for this resource");
        return false;
    }
    try {
        const client = await cluster.resourcesOf(live);
        return !isJobReady(await client.get(nameOf(live)));
    } catch {
        return false;
    }
}

/** Compares the live object of the state, as far as the inputs reached, with new inputs. */
export async function diff(session: Session, request: DiffRequest): Promise<DiffResponse> {
    const { configuration } = session;
    const { inputs: recorded, live } = parseCheckpoint(request.olds);
    const oldInputs = normalizeInputs(recorded);
    const news = normalizeInputs(toObject(request.news));
    const old = prune(live, oldInputs);
    const gvk = gvkOf(news);
    if (await isNamespaced(session, gvk)) {
        setMetadata(old, "namespace", namespaceOf(old) || "default");
        if (namespaceOf(news) === "" && typeof (news["metadata"] as Properties)?.["namespace"] !== "object") {
            setMetadata(news, "namespace", "default");
        }
    } else {
        setMetadata(old, "namespace", undefined);
        setMetadata(news, "namespace", undefined);
    }
    if (apiVersionOf(old) === "" && kindOf(old) === "") {
        Object.assign(old, { apiVersion: apiVersionOf(news), kind: kindOf(news) });
    }
    if (configuration.serverSideApply) {
        setMetadata(old, "resourceVersion", undefined);
    }
    if (nameOf(news) !== "") {
        setMetadata(old, "name", nameOf(live));
    }
    const forceNew = isPatchResource(request.type, kindOf(news))
        ? ["metadata.name", "metadata.namespace"]
        : forceNewPaths(news, { secrets: configuration.secretMutable, configMaps: configuration.configMapMutable });
    const detailed = detailedDiff(mergePatch(old, news), old, news, old, forceNew);
    const ignored = request.ignoreChanges.map(parsePath);
    for (const path of [...detailed.keys()]) {
        if (ignored.some((each) => isWithin(parsePath(path), each))) {
            detailed.delete(path);
        }
    }
    const replaces = [...detailed].flatMap(([path, { kind, replace }]) =>
        replace || (kind === "delete" && path === "metadata") ? [path] : [],
    );
    let changes = detailed.size > 0;
    if (isAnnotated(news, "pulumi.com/replaceUnready") && (await isUnreadyJob(session, request.urn, news, live))) {
        changes = true;
        replaces.push('.metadata.annotations["pulumi.com/replaceUnready"]');
    }
    // A new object with the name of the old one has to wait until that is gone.
    const deleteBeforeReplace = replaces.length > 0 && isNamed(news) && !isAutonamed(news) && isSameObject(news, live);
    return { changes, replaces, deleteBeforeReplace, detailed };
}
