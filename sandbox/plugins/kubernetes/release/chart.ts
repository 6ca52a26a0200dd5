import { createHash } from "node:crypto";
import {
    existsSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    readFileSync,
    renameSync,
    rmSync,
    statSync,
    writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import type { Helm } from "./helm";
import { inPrivateFolder } from "./helm";
import type { Release, RepositoryOptions } from "./inputs";
import { fileInArchive } from "./tar";

/** A chart that helm can install without fetching anything. */
export interface Chart {
    /** The archive, or the folder. */
    readonly path: string;
    /** Its exact version. */
    readonly version: string;
}

function isUrl(text: string): boolean {
    return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || text.startsWith("/");
}

/** The chart's name and repository as helm wants them: a repository that is no URL is one that helm knows by name. */
export function resolveChartName(repository: string, chart: string): { readonly name: string; readonly repo: string } {
    if (chart.startsWith("oci://")) {
        return { name: chart, repo: "" };
    }
    if (isUrl(repository)) {
        return { name: chart, repo: repository };
    }
    return { name: repository !== "" && !chart.includes("/") ? `${repository}/${chart}` : chart, repo: "" };
}

function localChart(name: string): string | undefined {
    if (!existsSync(name) || (statSync(name).isDirectory() && !existsSync(join(name, "Chart.yaml")))) {
        return undefined;
    }
    return resolve(name);
}

function versionOf(path: string): string {
    const text = statSync(path).isDirectory()
        ? readFileSync(join(path, "Chart.yaml"), "utf8")
        : fileInArchive(readFileSync(path), /^[^/]+\/Chart\.yaml$/);
    const version: unknown = text === undefined ? undefined : (parse(text) as { version?: unknown }).version;
    if (version === undefined) {
        throw new Error("Chart.yaml file is missing");
    }
    return String(version);
}

function present(name: string, value: string): readonly string[] {
    return value === "" ? [] : [name, value];
}

/** What to fetch. */
interface Source {
    readonly name: string;
    readonly repo: string;
    readonly args: readonly string[];
    readonly options: RepositoryOptions | undefined;
}

/** Where helm keeps the charts that it has fetched. */
function repositoryCache(configured: string | undefined): string {
    const xdg = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
    const home = process.env["HELM_CACHE_HOME"] || join(xdg, "helm");
    return configured || process.env["HELM_REPOSITORY_CACHE"] || join(home, "repository");
}

/** Fetches charts, each once per run of the plugin, into helm's cache. */
export class Charts {
    readonly #helm: Helm;
    readonly #cache: string;
    readonly #fetched = new Map<string, Promise<string>>();

    /** @param cache helm's repository cache, if the provider's configuration names one */
    constructor(helm: Helm, cache: string | undefined) {
        this.#helm = helm;
        this.#cache = repositoryCache(cache);
    }

    /**
     * The chart of a release.
     *
     * @throws Error when it cannot be had
     */
    async load(release: Release): Promise<Chart> {
        const path = await this.#locate(release);
        if (release.dependencyUpdate && statSync(path).isDirectory()) {
            await this.#helm.run(["dependency", "update", path]);
        }
        return { path, version: versionOf(path) };
    }

    async #locate(release: Release): Promise<string> {
        const options = release.repositoryOpts;
        const { name, repo } = options
            ? resolveChartName(options.repo, release.chart.trim())
            : { name: release.chart.trim(), repo: "" };
        const verify = release.verify ? ["--verify", ...present("--keyring", release.keyring)] : [];
        if (repo === "") {
            const local = localChart(name);
            if (local !== undefined) {
                if (release.verify) {
                    await this.#helm.run(["verify", local, ...present("--keyring", release.keyring)]);
                }
                return local;
            }
            if (isAbsolute(name) || name.startsWith(".")) {
                throw new Error(`path ${JSON.stringify(name)} not found`);
            }
        }
        const version = release.version.trim() || (release.devel ? ">0.0.0-0" : "");
        const args = [...present("--version", version), ...verify];
        // What matches a range may change between runs, never within one.
        const key = JSON.stringify([name, repo, args, options]);
        let fetched = this.#fetched.get(key);
        if (!fetched) {
            fetched = this.#fetch({ name, repo, args, options });
            this.#fetched.set(key, fetched);
            fetched.catch(() => this.#fetched.delete(key));
        }
        return fetched;
    }

    async #fetch({ name, repo, args, options }: Source): Promise<string> {
        // A folder per source: other repositories may have a chart of the same name and version.
        const folder = join(this.#cache, createHash("sha256").update(`${repo} ${name}`).digest("hex").slice(0, 16));
        mkdirSync(folder, { recursive: true });
        const destination = mkdtempSync(join(folder, ".pull-"));
        try {
            await this.#pull({ name, repo, args, options }, destination);
            const file = readdirSync(destination).find((each) => each.endsWith(".tgz"));
            if (file === undefined) {
                throw new Error(`helm pull fetched no chart for ${JSON.stringify(name)}`);
            }
            renameSync(join(destination, file), join(folder, file));
            return join(folder, file);
        } finally {
            rmSync(destination, { recursive: true, force: true });
        }
    }

    async #pull({ name, repo, args, options }: Source, destination: string): Promise<void> {
        const pull = (source: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
            this.#helm.run(["pull", ...source, ...args, "--destination", destination], { environment });
        if (options && (options.username !== "" || options.password !== "")) {
            await inPrivateFolder((folder) => this.#pullWithPassword(pull, folder, name, repo, options));
            return;
        }
        const certificates = options
            ? [
                  ...present("--ca-file", options.caFile),
                  ...present("--cert-file", options.certFile),
                  ...present("--key-file", options.keyFile),
              ]
            : [];
        await pull([name, ...present("--repo", repo), ...certificates]);
    }

    /** A password is given to helm in a file of its own or on its standard input, never in its arguments. */
    async #pullWithPassword(
        pull: (source: readonly string[], environment: Readonly<Record<string, string>>) => Promise<unknown>,
        folder: string,
        name: string,
        repo: string,
        { username, password, caFile, certFile, keyFile }: RepositoryOptions,
    ): Promise<void> {
        if (name.startsWith("oci://")) {
            const environment = { HELM_REGISTRY_CONFIG: join(folder, "registry.json") };
            const [host = ""] = name.slice("oci://".length).split("/");
            const login = ["registry", "login", host, "--username", username, "--password-stdin"];
            await this.#helm.run(login, { input: password, environment });
            await pull([name], environment);
            return;
        }
        const environment = {
            HELM_REPOSITORY_CONFIG: join(folder, "repositories.yaml"),
            HELM_REPOSITORY_CACHE: join(folder, "cache"),
        };
        const entry = { name: "release", url: repo, username, password, caFile, certFile, keyFile };
        const file = { apiVersion: "", generated: new Date(0).toISOString(), repositories: [entry] };
        writeFileSync(environment.HELM_REPOSITORY_CONFIG, stringify(file), { mode: 0o600 });
        await this.#helm.run(["repo", "update", "--fail-on-repo-update-fail"], { environment });
        await pull([`release/${name}`], environment);
    }
}
