import { parseAllDocuments } from "yaml";
import { isObject, type Properties, type Value } from "../../shared/values";
import { apiVersionOf, kindOf, nameOf, namespaceOf, parseApiVersion, qualifiedName } from "../objects";

/** The identity of an object in a manifest. */
interface Identity {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly namespace: string;
}

const plainScalar = /^(?:"([^"\\]*)"|'([^']*)'|([^\s"'&*!|>%@`{[#][^#]*?))\s*(?:#.*)?$/;

function scalar(text: string | undefined): string | undefined {
    const found = plainScalar.exec((text ?? "").trim());
    return found?.[1] ?? found?.[2] ?? found?.[3];
}

/** Reads the identity from the document's lines: parsing every CRD of a chart would take a second. */
function quickIdentity(document: string): Identity | undefined {
    const apiVersion = scalar(/^apiVersion:(.*)$/m.exec(document)?.[1]);
    const kind = scalar(/^kind:(.*)$/m.exec(document)?.[1]);
    const metadata = /^metadata:[ \t]*\n((?:[ \t]+.*\n|[ \t]*\n|#.*\n)*)/m.exec(`${document}\n`)?.[1];
    const indent = /^( +)[^\s#]/m.exec(metadata ?? "")?.[1];
    if (metadata === undefined || indent === undefined || apiVersion === undefined || kind === undefined) {
        return undefined;
    }
    const field = (key: string) => new RegExp(`^${indent}${key}:(.*)$`, "m").exec(metadata)?.[1];
    const name = scalar(field("name"));
    const namespace = field("namespace");
    if (name === undefined || (namespace !== undefined && scalar(namespace) === undefined)) {
        return undefined;
    }
    return { apiVersion, kind, name, namespace: scalar(namespace) ?? "" };
}

function slowIdentities(document: string): Identity[] {
    return parseAllDocuments(document).flatMap((each) => {
        const object = each.toJS() as Value;
        return isObject(object) && kindOf(object) !== "" ? [identityOf(object)] : [];
    });
}

function identityOf(object: Properties): Identity {
    return {
        apiVersion: apiVersionOf(object),
        kind: kindOf(object),
        name: nameOf(object),
        namespace: namespaceOf(object),
    };
}

/** The documents of a manifest. */
export function splitManifest(manifest: string): string[] {
    return manifest.split(/^---.*$/m).filter((document) => /^[^\s#]/m.test(document));
}

/** The CustomResourceDefinitions of a manifest. */
export function definitionsIn(manifest: string): Properties[] {
    return splitManifest(manifest)
        .filter((document) => /^kind:\s*["']?CustomResourceDefinition/m.test(document))
        .flatMap((document) => parseAllDocuments(document).map((each) => each.toJS() as Value))
        .filter(isObject);
}

/** Names of a release's objects, grouped as the official plugin groups them: `Deployment.apps/apps/v1`. */
export function resourceNames(manifest: string): Record<string, string[]> {
    const names = new Map<string, Set<string>>();
    for (const document of splitManifest(manifest)) {
        const quick = quickIdentity(document);
        for (const { apiVersion, kind, name, namespace } of quick ? [quick] : slowIdentities(document)) {
            const { group } = parseApiVersion(apiVersion);
            const key = `${kind}${group === "" ? "" : `.${group}`}/${apiVersion}`;
            names.set(key, (names.get(key) ?? new Set()).add(qualifiedName(namespace, name)));
        }
    }
    return Object.fromEntries([...names].map(([key, set]) => [key, [...set].sort()]));
}
