import {
    Archive,
    Asset,
    type Content,
    isObject,
    type Properties,
    Secret,
    Unknown,
    unknown,
    type Value,
} from "./values";

// How Pulumi writes its own kinds of value into a protobuf Struct: an object with this key, whose value says which
// kind it is, or, for unknowns, a reserved string.
const signature = "4dabf18193072939515e22adb298388d";
const signatures = {
    secret: "1b47061264138c4ac30d75fd1eb44270",
    asset: "c44067f5952c0a294b673a41bacd8c17",
    archive: "0def7320c3a5731c473e5ecbe6d01bc7",
    reference: "5cf8f73096256a8f31e491e813e4eb8e",
    output: "d0e6a833031e9bbcd3f4e8bde6ca49a4",
};
const unknowns = new Set([
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);
const unknownString = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

function content(object: Properties): Content {
    return Object.fromEntries(
        ["hash", "text", "path", "uri"].flatMap((key) =>
            typeof object[key] === "string" && object[key] !== "" ? [[key, object[key]]] : [],
        ),
    );
}

/** Reads a value that the engine sent. */
export function decodeValue(value: Value): Value {
    if (typeof value === "string") {
        return unknowns.has(value) ? unknown : value;
    }
    if (Array.isArray(value)) {
        return value.map(decodeValue);
    }
    if (!isObject(value)) {
        return value;
    }
    switch (value[signature]) {
        case undefined:
            return decode(value);
        case signatures.secret:
            return new Secret(decodeValue(value["value"] ?? null));
        case signatures.asset:
            return new Asset(content(value));
        case signatures.archive:
            return new Archive({
                ...content(value),
                ...(isObject(value["assets"]) ? { assets: decode(value["assets"]) } : {}),
            });
        case signatures.output: {
            const inner = "value" in value ? decodeValue(value["value"] ?? null) : unknown;
            return value["secret"] === true ? new Secret(inner) : inner;
        }
        case signatures.reference:
            return decodeValue(value["id"] ?? value["urn"] ?? null);
        default:
            throw new Error(`unknown kind of property value ${JSON.stringify(value[signature])}`);
    }
}

/** Reads properties that the engine sent. */
export function decode(properties: Properties): Properties {
    return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, decodeValue(value)]));
}

/** Writes a value for the engine. */
export function encodeValue(value: Value): Value {
    if (value instanceof Unknown) {
        return unknownString;
    }
    if (value instanceof Secret) {
        return { [signature]: signatures.secret, value: encodeValue(value.element) };
    }
    if (value instanceof Asset) {
        return { [signature]: signatures.asset, ...value.content };
    }
    if (value instanceof Archive) {
        const { assets, ...rest } = value.content;
        return { [signature]: signatures.archive, ...rest, ...(assets ? { assets: encode(assets) } : {}) };
    }
    if (Array.isArray(value)) {
        return value.map(encodeValue);
    }
    return isObject(value) ? encode(value) : value;
}

/** Writes properties for the engine. */
export function encode(properties: Properties): Properties {
    return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, encodeValue(value)]));
}
