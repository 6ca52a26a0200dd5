import { gunzipSync } from "node:zlib";
import { isObject, type Properties } from "../../shared/values";
import { isNotFound } from "../api";
import { at, listAt, stringAt } from "../objects";
import { reachable, type Session } from "../session";

/** A revision of a release, as Helm keeps it in the cluster. */
export interface StoredRelease {
    readonly name: string;
    readonly namespace: string;
    readonly revision: number;
    readonly status: string;
    readonly chart: string;
    readonly chartVersion: string;
    readonly appVersion: string;
    /** The values that the user gave. */
    readonly values: Properties;
    readonly manifest: string;
}

function decode(record: Properties, encodings: number): StoredRelease {
    let data = Buffer.from(stringAt(record, "data", "release"));
    for (let index = 0; index < encodings; index++) {
        data = Buffer.from(data.toString("latin1"), "base64");
    }
    const release = JSON.parse(gunzipSync(data).toString("utf8")) as Properties;
    const metadata = at(release, "chart", "metadata");
    const values = release["config"];
    return {
        name: stringAt(release, "name"),
        namespace: stringAt(release, "namespace"),
        revision: Number(release["version"]),
        status: stringAt(release, "info", "status"),
        chart: stringAt(metadata, "name"),
        chartVersion: stringAt(metadata, "version"),
        appVersion: stringAt(metadata, "appVersion"),
        values: isObject(values) ? values : {},
        manifest: stringAt(release, "manifest"),
    };
}

/**
 * Reads a revision of a release, the latest unless told.
 *
 * @returns undefined when there is none
 */
export async function findRelease(
    session: Session,
    namespace: string,
    name: string,
    revision?: number,
): Promise<StoredRelease | undefined> {
    const driver = session.configuration.helm.driver ?? "secret";
    const isConfigMap = /^configmaps?$/.test(driver);
    if (!isConfigMap && !/^(secrets?)?$/.test(driver)) {
        throw new Error(`this stand-in for the kubernetes plugin knows no Helm driver ${JSON.stringify(driver)}`);
    }
    const { api } = reachable(session);
    const path = `/api/v1/namespaces/${namespace || "default"}/${isConfigMap ? "configmaps" : "secrets"}`;
    let list: Properties;
    try {
        const version = revision === undefined ? "" : `,version=${revision}`;
        const labelSelector = `owner=helm,name=${name}${version}`;
        list = await api.request({ method: "GET", path, query: { labelSelector } });
    } catch (error) {
        if (isNotFound(error)) {
            return undefined;
        }
        throw error;
    }
    const revisionOf = (record: Properties) => Number(stringAt(record, "metadata", "labels", "version"));
    const [latest] = (listAt(list, "items") as readonly Properties[]).toSorted(
        (left, right) => revisionOf(right) - revisionOf(left),
    );
    return latest && decode(latest, isConfigMap ? 1 : 2);
}
