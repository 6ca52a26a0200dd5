import { uniqueName } from "../../shared/names";
import {
    type CheckFailure,
    type CheckRequest,
    type CheckResponse,
    type CreateRequest,
    type CreateResponse,
    type DeleteRequest,
    type DiffRequest,
    type DiffResponse,
    InitializationFailed,
    type ReadRequest,
    type ReadResponse,
    type UpdateRequest,
} from "../../shared/provider";
import { containsUnknowns, type Properties } from "../../shared/values";
import { annotateSecrets } from "../checkpoint";
import { parseId, qualifiedName } from "../objects";
import { type Session, Unreachable } from "../session";
import { installArguments, uninstallArguments, upgradeArguments } from "./arguments";
import { Charts } from "./chart";
import { diffRelease } from "./diff";
import { Helm } from "./helm";
import { decodeRelease, encodeRelease, type Release, setDefaults } from "./inputs";
import { definitionsIn } from "./manifest";
import { annotateUnknowns, inputsOfState, releaseState, withStored } from "./state";
import { findRelease, type StoredRelease } from "./storage";

function messageOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

/** kubernetes:helm.sh/v3:Release, by the helm command. */
export class Releases {
    readonly #session: Session;
    readonly #helm: Helm;
    readonly #charts: Charts;

    constructor(session: Session) {
        this.#session = session;
        this.#helm = new Helm(session);
        this.#charts = new Charts(this.#helm, session.configuration.helm.repositoryCache);
    }

    /** Fills in defaults, merges values files into the values, and finds the exact version of the chart. */
    async check({ urn, name, news, olds }: CheckRequest): Promise<CheckResponse> {
        const given = { ...news };
        if (given["name"] === undefined && olds?.["name"] !== undefined) {
            given["name"] = olds["name"];
        }
        if (given["name"] === undefined || given["name"] === "") {
            given["name"] = uniqueName(`${name}-`);
        }
        setDefaults(given, this.#session.namespace);
        const release = await decodeRelease(given);
        if (release.allowNullValues) {
            this.#session.host.log(
                "warning",
                urn,
                "`allowNullValues` is deprecated and has no effect; null values in Helm chart values are preserved " +
                    "by default.",
            );
        }
        const failures: CheckFailure[] = [];
        if (!containsUnknowns(given)) {
            try {
                const chart = await this.#charts.load(release);
                release.version = chart.version;
                this.#session.definitions.addChart(() => this.#definitions(release, chart.path));
            } catch (error) {
                const reason = `${messageOf(error)}; check the chart name and repository configuration.`;
                failures.push({ property: "chart", reason });
            }
        }
        const { resourceNames: _, ...inputs } = structuredClone(encodeRelease(release));
        annotateUnknowns(inputs, given);
        annotateSecrets(inputs, given);
        return { inputs, failures };
    }

    /** Compares state and inputs. */
    async diff(request: DiffRequest): Promise<DiffResponse> {
        return diffRelease(request);
    }

    /** Installs the release. */
    async create({ properties, preview }: CreateRequest): Promise<CreateResponse> {
        const release = await decodeRelease(properties);
        if (preview) {
            return { id: "", properties: releaseState(properties, release, true) };
        }
        this.#requireCluster("create");
        const { namespace, name } = release;
        const id = qualifiedName(namespace, name);
        const chart = await this.#charts.load(release);
        const before = await findRelease(this.#session, namespace, name);
        try {
            await this.#run(installArguments(release, chart.path), release);
        } catch (error) {
            const stored = await this.#find(namespace, name);
            if (!stored || stored.revision === before?.revision) {
                throw error;
            }
            const failed = withStored(release, stored);
            throw this.#failure(id, properties, failed, error, "was created, but failed to initialize completely");
        }
        const stored = await this.#stored(namespace, name);
        return { id, properties: releaseState(properties, withStored(release, stored), false) };
    }

    /** Reads the release; one that is not installed any more has no id. */
    async read({ id, properties }: ReadRequest): Promise<ReadResponse> {
        const release = await decodeRelease(properties);
        const known = Object.keys(properties).length > 0;
        const { namespace, name } = known ? release : parseId(id);
        const stored = await findRelease(this.#session, namespace, name);
        if (!stored) {
            return { id: "", properties: {}, inputs: {} };
        }
        const live = withStored(release, stored);
        let inputs = inputsOfState(properties);
        if (!inputs) {
            const { resourceNames: _, status: __, ...imported } = encodeRelease(live);
            setDefaults(imported, this.#session.namespace);
            inputs = imported;
        }
        const liveId = id || qualifiedName(live.namespace, live.name);
        return { id: liveId, properties: releaseState(inputs, live, false), inputs };
    }

    /** Upgrades the release. */
    async update({ olds, news, preview }: UpdateRequest): Promise<Properties> {
        const release = await decodeRelease(news);
        if (preview) {
            return releaseState(news, release, true);
        }
        this.#requireCluster("update");
        const { namespace } = await decodeRelease(olds);
        const { name } = release;
        const chart = await this.#charts.load(release);
        if (release.lint) {
            const values = JSON.stringify(release.values);
            await this.#helm.run(["lint", chart.path, "--values", "-"], { input: values });
        }
        const before = await findRelease(this.#session, namespace, name);
        const next = (before?.revision ?? 0) + 1;
        try {
            await this.#run(upgradeArguments(release, chart.path), release);
        } catch (error) {
            const stored = await this.#find(namespace, name, next);
            if (!stored || messageOf(error).includes("has no deployed releases")) {
                throw error;
            }
            const id = qualifiedName(release.namespace, name);
            throw this.#failure(id, news, withStored(release, stored), error, "failed to initialize completely");
        }
        return releaseState(news, withStored(release, await this.#stored(namespace, name)), false);
    }

    /** Uninstalls the release. */
    async delete({ urn, properties }: DeleteRequest): Promise<void> {
        const { cluster, host } = this.#session;
        if (cluster instanceof Unreachable) {
            const reason = JSON.stringify(cluster.reason);
            throw new Error(`can't delete Helm Release with unreachable cluster. Reason: ${reason}`);
        }
        const release = await decodeRelease(properties);
        const { namespace } = release;
        const { stdout } = await this.#helm.runOnCluster(uninstallArguments(release), { namespace });
        const information = stdout.replace(/^release "[^"]*" uninstalled$/m, "").trim();
        if (information !== "") {
            host.log("warning", urn, `Helm uninstall returned information: ${JSON.stringify(information)}`);
        }
    }

    /** The custom kinds that a chart defines. */
    async #definitions({ name, namespace, skipCrds, values }: Release, path: string): Promise<readonly Properties[]> {
        const crds = skipCrds ? [] : ["--include-crds"];
        const args = ["template", name || "release-name", path, "--values", "-", ...crds];
        const { stdout } = await this.#helm.run(args, { namespace, input: JSON.stringify(values) });
        return definitionsIn(stdout);
    }

    #run(args: readonly string[], { namespace, values }: Release) {
        return this.#helm.runOnCluster(args, { namespace, input: JSON.stringify(values) });
    }

    #requireCluster(verb: string): void {
        const { cluster } = this.#session;
        if (cluster instanceof Unreachable) {
            throw new Error(`can't ${verb} Helm Release with unreachable cluster: ${cluster.reason}`);
        }
    }

    async #stored(namespace: string, name: string): Promise<StoredRelease> {
        const stored = await findRelease(this.#session, namespace, name);
        if (!stored) {
            throw new Error(`release ${qualifiedName(namespace, name)} was installed and is gone again`);
        }
        return stored;
    }

    /** A release that may not be there; after an error, not being able to look counts as that. */
    async #find(namespace: string, name: string, revision?: number): Promise<StoredRelease | undefined> {
        try {
            return await findRelease(this.#session, namespace, name, revision);
        } catch {
            return undefined;
        }
    }

    #failure(id: string, inputs: Properties, release: Release, error: unknown, what: string): InitializationFailed {
        const message =
            `Helm release "${id}" ${what}. Use Helm CLI to investigate: failed to become available within allocated ` +
            `timeout. Error: Helm Release ${release.namespace}/${release.name}: ${messageOf(error)}`;
        return new InitializationFailed(id, message, releaseState(inputs, release, false), [message]);
    }
}
