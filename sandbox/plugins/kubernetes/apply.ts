import type { Properties } from "../shared/values";
import { type ApiError, isConflict } from "./api";
import type { ResourceClient } from "./cluster";
import { isAnnotated } from "./metadata";
import { apiVersionOf, kindOf, listAt, nameOf, namespaceOf, stringAt } from "./objects";

/** Managers that this provider wrote with before it applied on the server. */
const ownUpdateManagers = ["pulumi-kubernetes", "pulumi-kubernetes.exe", "pulumi-resource-kubernetes"];

/** Managers whose fields are taken over at the first update. */
const replacedManagers = [
    ["kubectl", "Apply"],
    ["kubectl", "Update"],
    ["before-first-apply", "Update"],
    ...ownUpdateManagers.map((manager) => [manager, "Update"]),
];

/**
 * Whether to take over fields that somebody else manages.
 *
 * @param live the object as it is, if it exists
 * @param always whether the provider's configuration says so
 */
export function isForced(inputs: Properties, live: Properties | undefined, always: boolean, preview: boolean): boolean {
    if (always || isAnnotated(inputs, "pulumi.com/patchForce")) {
        return true;
    }
    const managers = listAt(live, "metadata", "managedFields");
    if (preview) {
        const own = managers.some(
            (each) => stringAt(each, "operation") === "Update" && ownUpdateManagers.includes(stringAt(each, "manager")),
        );
        return live === undefined || own || managers.length === 0;
    }
    // Objects from before server-side apply have no managers recorded.
    return live !== undefined && managers.length === 0;
}

/** A conflict with another field manager, told with where to read on. Other errors are returned as they are. */
export function explainConflict(error: unknown, manager: string): unknown {
    if (!isConflict(error)) {
        return error;
    }
    return Object.assign(
        new Error(
            "server-side apply field conflict detected, see https://www.pulumi.com/registry/packages/kubernetes/" +
                "how-to-guides/managing-resources-with-server-side-apply/" +
                "#handle-field-conflicts-on-existing-resources for troubleshooting help\n" +
                `The resource managed by field manager "${manager}" had an apply conflict: ` +
                (error as ApiError).message,
        ),
        { cause: error },
    );
}

function mergeFields(left: Properties, right: Properties): Properties {
    const merged = { ...left };
    for (const [key, value] of Object.entries(right)) {
        merged[key] = mergeFields((merged[key] ?? {}) as Properties, value as Properties);
    }
    return merged;
}

/**
 * The managed fields of an object after its fields have been taken over from {@link replacedManagers}, or undefined
 * when there is nothing to take.
 */
export function takenOver(live: Properties, manager: string): Properties[] | undefined {
    const entries = listAt(live, "metadata", "managedFields") as readonly Properties[];
    const isReplaced = (entry: Properties) =>
        stringAt(entry, "subresource") === "" &&
        replacedManagers.some(
            ([name, operation]) => entry["manager"] === name && entry["operation"] === operation && name !== manager,
        );
    const replaced = entries.filter(isReplaced);
    if (replaced.length === 0) {
        return undefined;
    }
    const kept = entries.filter((entry) => !isReplaced(entry));
    const isOwn = (entry: Properties) => entry["manager"] === manager && entry["operation"] === "Apply";
    const own = kept.find(isOwn) ?? { ...replaced[0], manager, operation: "Apply" };
    const fieldsV1 = replaced.reduce(
        (fields, entry) => mergeFields(fields, (entry["fieldsV1"] ?? {}) as Properties),
        (own["fieldsV1"] ?? {}) as Properties,
    );
    return [...kept.filter((entry) => !isOwn(entry)), { ...own, fieldsV1 }];
}

/** Takes over the fields that this provider, or kubectl, manages without server-side apply. */
export async function takeOver(client: ResourceClient, live: Properties, manager: string): Promise<Properties> {
    const managedFields = takenOver(live, manager);
    if (!managedFields) {
        return live;
    }
    return client.patch(nameOf(live), [
        { op: "replace", path: "/metadata/managedFields", value: managedFields },
        { op: "replace", path: "/metadata/resourceVersion", value: stringAt(live, "metadata", "resourceVersion") },
    ]);
}

/** Gives up every field of an object that a manager manages. */
export async function relinquish(client: ResourceClient, object: Properties, fieldManager: string): Promise<void> {
    const namespace = namespaceOf(object);
    const body: Properties = {
        apiVersion: apiVersionOf(object),
        kind: kindOf(object),
        metadata: { name: nameOf(object), ...(namespace === "" ? {} : { namespace }) },
    };
    await client.apply(nameOf(object), body, { fieldManager });
}
