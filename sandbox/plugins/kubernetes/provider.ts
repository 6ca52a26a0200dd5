import type { Host } from "../shared/host";
import type {
    CheckRequest,
    CheckResponse,
    CreateRequest,
    CreateResponse,
    DeleteRequest,
    DiffRequest,
    DiffResponse,
    Provider,
    ReadRequest,
    ReadResponse,
    UpdateRequest,
} from "../shared/provider";
import type { Properties } from "../shared/values";
import { check } from "./check";
import { checkConfiguration, diffConfiguration, readConfiguration } from "./configuration";
import { create } from "./create";
import { remove } from "./delete";
import { diff } from "./diff";
import { read } from "./read";
import { Releases } from "./release/releases";
import { openSession, type Session } from "./session";
import { update } from "./update";

const releaseToken = "kubernetes:helm.sh/v3:Release";

/** The kubernetes plugin: any kind of object, and Helm releases. */
export class KubernetesProvider implements Provider {
    readonly version: string;
    readonly #host: Host;
    readonly #cancelled = new AbortController();
    #session: Session | undefined;
    #releases: Releases | undefined;

    constructor(version: string, host: Host) {
        this.version = version;
        this.#host = host;
    }

    async checkConfig(request: CheckRequest): Promise<CheckResponse> {
        return { inputs: request.news, failures: checkConfiguration(request) };
    }

    async diffConfig(request: DiffRequest): Promise<DiffResponse> {
        return diffConfiguration(request);
    }

    async configure(variables: ReadonlyMap<string, string>): Promise<void> {
        this.#session = await openSession(readConfiguration(variables), this.#host, this.#cancelled.signal);
        this.#releases = new Releases(this.#session);
    }

    async check(request: CheckRequest): Promise<CheckResponse> {
        return this.#isRelease(request) ? this.#helm.check(request) : check(this.#open, request);
    }

    async diff(request: DiffRequest): Promise<DiffResponse> {
        return this.#isRelease(request) ? this.#helm.diff(request) : diff(this.#open, request);
    }

    async create(request: CreateRequest): Promise<CreateResponse> {
        return this.#isRelease(request) ? this.#helm.create(request) : create(this.#open, request);
    }

    async read(request: ReadRequest): Promise<ReadResponse> {
        return this.#isRelease(request) ? this.#helm.read(request) : read(this.#open, request);
    }

    async update(request: UpdateRequest): Promise<Properties> {
        return this.#isRelease(request) ? this.#helm.update(request) : update(this.#open, request);
    }

    async delete(request: DeleteRequest): Promise<void> {
        return this.#isRelease(request) ? this.#helm.delete(request) : remove(this.#open, request);
    }

    cancel(): void {
        this.#cancelled.abort();
    }

    #isRelease({ type }: { readonly type: string }): boolean {
        return type === releaseToken;
    }

    get #open(): Session {
        if (!this.#session) {
            throw new Error("the provider has not been configured");
        }
        return this.#session;
    }

    get #helm(): Releases {
        if (!this.#releases) {
            throw new Error("the provider has not been configured");
        }
        return this.#releases;
    }
}
