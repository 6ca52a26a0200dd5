import type { CheckRequest, CheckResponse } from "../shared/provider";
import { isObject, type Properties } from "../shared/values";
import { annotateSecrets, toObject } from "./checkpoint";
import { gvkOfToken, isListToken, isPatchResource } from "./kinds";
import { adoptName, asksForGeneratedName, assignName } from "./metadata";
import { normalizeInputs } from "./normalize";
import { at, isCustomResourceDefinition, kindOf, nameOf, namespaceOf, setMetadata } from "./objects";
import { isNamespaced, type Session, Unreachable } from "./session";

const managedBy = "app.kubernetes.io/managed-by";

function setManagedByLabel(object: Properties): void {
    const labels = at(object, "metadata", "labels") ?? {};
    if (isObject(labels)) {
        const value = process.env["PULUMI_KUBERNETES_MANAGED_BY_LABEL"] ?? "pulumi";
        setMetadata(object, "labels", { ...labels, [managedBy]: value });
    }
}

function hasManagedByLabel(object: Properties): boolean {
    const value = process.env["PULUMI_KUBERNETES_MANAGED_BY_LABEL"] ?? "pulumi";
    return at(object, "metadata", "labels", managedBy) === value;
}

function warnOfAnnotations({ host, configuration }: Session, urn: string, object: Properties): void {
    const annotations = at(object, "metadata", "annotations");
    let hook = false;
    for (const [key, value] of Object.entries(isObject(annotations) ? annotations : {})) {
        if (key.startsWith("pulumi.com/autonamed")) {
            host.log("warning", urn, `ignoring user-specified value for internal annotation "${key}"`);
        }
        hook ||= key.startsWith("helm.sh/hook") && /test|test-success|test-failure/.test(String(value));
    }
    if (hook && !configuration.suppressHelmHookWarnings) {
        host.log(
            "warning",
            urn,
            "This resource contains Helm hooks that are not currently supported by Pulumi. The resource will be " +
                "created, but any hooks will not be executed. Hooks support is tracked at " +
                "https://github.com/pulumi/pulumi-kubernetes/issues/555 -- This warning can be disabled by setting " +
                "the PULUMI_K8S_SUPPRESS_HELM_HOOK_WARNINGS environment variable",
        );
    }
}

/** Validates an object's inputs; gives it a name and a namespace where it has none. */
export async function check(session: Session, request: CheckRequest): Promise<CheckResponse> {
    const { host, configuration } = session;
    const { urn, type, news, olds } = request;
    if (session.cluster instanceof Unreachable && configuration.skipUpdateUnreachable) {
        const message = "Cluster is unreachable but skipUpdateUnreachable flag is set to true, skipping...";
        host.log("warning", urn, message);
        return { inputs: olds ?? {} };
    }
    if (isListToken(type)) {
        throw new Error(
            "list resources exist for compatibility with YAML manifests and Helm charts, and cannot be created " +
                "directly. Use the underlying resource type instead",
        );
    }
    const object = normalizeInputs(toObject(news));
    if (isPatchResource(type, kindOf(object))) {
        if (!configuration.serverSideApply) {
            throw new Error(
                "patch resources require Server-Side Apply mode, which is enabled using the " +
                    "`enableServerSideApply` Provider config",
            );
        }
        if (nameOf(object) === "") {
            throw new Error("patch resources require the `.metadata.name` field to be set");
        }
    }
    warnOfAnnotations(session, urn, object);
    if (olds) {
        const old = toObject(olds);
        adoptName(object, old);
        if (hasManagedByLabel(old)) {
            setManagedByLabel(object);
        }
    } else {
        assignName(object, request);
        if (!configuration.serverSideApply) {
            setManagedByLabel(object);
        }
    }
    if (asksForGeneratedName(object) && configuration.serverSideApply) {
        throw new Error("the `.metadata.generateName` field is not supported in Server-Side Apply mode");
    }
    if (namespaceOf(object) === "" && typeof at(object, "metadata", "namespace") !== "object") {
        if (await isNamespaced(session, gvkOfToken(type))) {
            setMetadata(object, "namespace", session.namespace);
        }
    }
    if (isCustomResourceDefinition(object)) {
        session.definitions.add(object);
    }
    annotateSecrets(object, news);
    return { inputs: object };
}
