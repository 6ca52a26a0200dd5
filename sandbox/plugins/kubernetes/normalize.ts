import { containsUnknowns, isObject, type Properties, type Value } from "../shared/values";
import { withoutReadOnlyMetadata } from "./checkpoint";
import { isKnownApiVersion } from "./kinds";
import { apiVersionOf, isCustomResourceDefinition, isSecretKind } from "./objects";
import { canonicalQuantity } from "./quantity";

/** Fields whose values are quantities, wherever they stand in one of Kubernetes' own kinds. */
const quantityMaps = new Set(["requests", "limits", "hard", "capacity", "allocatable", "overhead", "podFixed"]);
const quantityFields = new Set(["sizeLimit", "divisor", "averageValue"]);

function normalizeQuantities(value: Value): Value {
    if (Array.isArray(value)) {
        return value.map(normalizeQuantities);
    }
    if (!isObject(value)) {
        return value;
    }
    return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => {
            if (quantityMaps.has(key) && isObject(inner)) {
                const entries = Object.entries(inner);
                return [key, Object.fromEntries(entries.map(([name, each]) => [name, canonicalQuantity(each)]))];
            }
            return [key, quantityFields.has(key) ? canonicalQuantity(inner) : normalizeQuantities(inner)];
        }),
    );
}

function encodeData(value: Value): Value {
    return typeof value === "string" ? Buffer.from(value, "utf8").toString("base64") : value;
}

function reencode(value: Value): Value {
    // The API server decodes and encodes data, which takes line breaks out of it.
    const text = typeof value === "string" ? value.replace(/[\r\n]/g, "") : "";
    return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) && text !== "" ? text : value;
}

function mapEntries(value: Value | undefined, map: (value: Value) => Value): Properties {
    return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, map(each)])) : {};
}

function normalizeSecret(object: Properties): Properties {
    const { stringData, ...rest } = object;
    const written = mapEntries(stringData, encodeData);
    if (Object.keys(written).length > 0) {
        return { ...rest, data: { ...mapEntries(rest["data"], (value) => value), ...written } };
    }
    return isObject(rest["data"]) ? { ...object, data: mapEntries(rest["data"], reencode) } : object;
}

function normalizeDefinition(object: Properties): Properties {
    const { status: _, ...rest } = object;
    const spec = rest["spec"];
    if (!isObject(spec) || spec["preserveUnknownFields"] !== false) {
        return rest;
    }
    const { preserveUnknownFields: __, ...kept } = spec;
    return { ...rest, spec: kept };
}

/**
 * Inputs in the one form that the API server would give them, so that other ways to write the same are no difference:
 * stringData as data, quantities in their shortest form. Custom resources stay as they are written, and so do inputs
 * that are not known in full.
 */
export function normalizeInputs(object: Properties): Properties {
    const known = isKnownApiVersion(apiVersionOf(object)) && !containsUnknowns(object);
    if (!known) {
        return withoutReadOnlyMetadata(object);
    }
    if (isSecretKind(object)) {
        return withoutReadOnlyMetadata(normalizeSecret(object));
    }
    if (isCustomResourceDefinition(object)) {
        return withoutReadOnlyMetadata(normalizeDefinition(object));
    }
    return withoutReadOnlyMetadata(mapEntries(object, normalizeQuantities));
}
