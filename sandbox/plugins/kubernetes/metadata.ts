import { uniqueName } from "../shared/names";
import type { CheckRequest } from "../shared/provider";
import { isObject, type Properties, Unknown } from "../shared/values";
import { annotationOf, at, nameOf, namespaceOf, setMetadata, stringAt } from "./objects";

const autonamed = "pulumi.com/autonamed";

/** Whether an annotation is "true". */
export function isAnnotated(object: Properties, key: string): boolean {
    return annotationOf(object, key) === "true";
}

/** Whether the object got its name from Pulumi. */
export function isAutonamed(object: Properties): boolean {
    return isAnnotated(object, autonamed);
}

/** Whether the object has a name, or will have one that is not known yet. */
export function isNamed(object: Properties): boolean {
    return nameOf(object) !== "" || at(object, "metadata", "name") instanceof Unknown;
}

/** Whether Kubernetes is asked to make a name. */
export function asksForGeneratedName(object: Properties): boolean {
    const prefix = at(object, "metadata", "generateName");
    return !isNamed(object) && (prefix instanceof Unknown || (typeof prefix === "string" && prefix !== ""));
}

function setAutonamed(object: Properties, name: string): void {
    setMetadata(object, "name", name);
    const metadata = object["metadata"];
    const annotations = isObject(metadata) ? (metadata["annotations"] ?? {}) : undefined;
    if (isObject(annotations)) {
        setMetadata(object, "annotations", { ...annotations, [autonamed]: "true" });
    }
}

/**
 * Names a new object that has no name.
 *
 * @throws Error when the user has switched that off
 */
export function assignName(
    object: Properties,
    request: Pick<CheckRequest, "name" | "randomSeed" | "autonaming">,
): void {
    if (isNamed(object) || asksForGeneratedName(object)) {
        return;
    }
    if (request.autonaming?.disabled) {
        throw new Error("autonaming is disabled, resource requires the .metadata.name field to be set");
    }
    setAutonamed(object, request.autonaming?.proposedName || uniqueName(`${request.name}-`, request.randomSeed));
}

/** Keeps the name that Pulumi gave the object before. */
export function adoptName(object: Properties, old: Properties): void {
    if (!isNamed(object) && isAutonamed(old)) {
        setAutonamed(object, nameOf(old));
    }
}

/** Seconds to wait: customTimeouts, else pulumi.com/timeoutSeconds, else ten minutes. */
export function timeoutOf(customTimeout: number, object: Properties): number {
    const annotation = annotationOf(object, "pulumi.com/timeoutSeconds");
    if (customTimeout !== 0) {
        return customTimeout;
    }
    return /^[+-]?\d+$/.test(annotation) ? Number(annotation) : 600;
}

/** What happens to the things that an object owns when it is deleted. */
export function deletionPropagation(object: Properties): "Orphan" | "Background" | "Foreground" {
    switch (annotationOf(object, "pulumi.com/deletionPropagationPolicy").toLowerCase()) {
        case "orphan":
            return "Orphan";
        case "background":
            return "Background";
        default:
            return "Foreground";
    }
}

/**
 * The field manager of an object: what the annotation says, else the one in the state, else a new one.
 *
 * @param serverSideApply whether the provider applies on the server
 */
export function fieldManagerOf(serverSideApply: boolean, state: Properties, inputs: Properties): string {
    if (!serverSideApply) {
        return "pulumi-kubernetes";
    }
    return (
        annotationOf(inputs, "pulumi.com/patchFieldManager") ||
        stringAt(state, "__fieldManager") ||
        uniqueName("pulumi-kubernetes-")
    );
}

/** Whether both are in the same namespace under the same name. */
export function isSameObject(left: Properties, right: Properties): boolean {
    return nameOf(left) === nameOf(right) && namespaceOf(left) === namespaceOf(right);
}
