import type { Properties } from "./values";

/** What the engine tells about the resource that a call is about. */
export interface ResourceRequest {
    readonly urn: string;
    /** The type token, e.g. kubernetes:core/v1:Namespace. */
    readonly type: string;
    /** The resource's name in the program. */
    readonly name: string;
}

/** Validate inputs and fill in defaults. */
export interface CheckRequest extends ResourceRequest {
    /** The checked inputs of the last run; undefined on a create. */
    readonly olds: Properties | undefined;
    readonly news: Properties;
    /** What names are made from, so that a preview and its update make the same. */
    readonly randomSeed: Uint8Array;
    /** The engine's own rule for names, where the user has set one. */
    readonly autonaming: { readonly disabled: boolean; readonly proposedName: string } | undefined;
}

/** A property that the user has to change. */
export interface CheckFailure {
    readonly property: string;
    readonly reason: string;
}

/** Checked inputs, or the reasons why there are none. */
export interface CheckResponse {
    readonly inputs: Properties;
    readonly failures?: readonly CheckFailure[];
}

/** Compare the state with new inputs. */
export interface DiffRequest extends ResourceRequest {
    readonly id: string;
    readonly olds: Properties;
    readonly oldInputs: Properties;
    readonly news: Properties;
    readonly ignoreChanges: readonly string[];
}

/** How one property changes. */
export type DiffKind = "add" | "delete" | "update";

/** One changed property; whether it is inputs that differ, or inputs and state. */
export interface PropertyDiff {
    readonly kind: DiffKind;
    readonly replace: boolean;
    readonly inputDiff: boolean;
}

/** What {@link DiffRequest} found. */
export interface DiffResponse {
    readonly changes: boolean;
    readonly replaces?: readonly string[];
    readonly diffs?: readonly string[];
    readonly deleteBeforeReplace?: boolean;
    readonly detailed?: ReadonlyMap<string, PropertyDiff>;
}

/** Create a resource, or say what that would give. */
export interface CreateRequest extends ResourceRequest {
    readonly properties: Properties;
    /** Seconds; 0 when the program sets none. */
    readonly timeout: number;
    readonly preview: boolean;
}

/** The new resource. */
export interface CreateResponse {
    readonly id: string;
    readonly properties: Properties;
}

/** Update a resource, or say what that would give. */
export interface UpdateRequest extends ResourceRequest {
    readonly id: string;
    readonly olds: Properties;
    readonly oldInputs: Properties;
    readonly news: Properties;
    readonly timeout: number;
    readonly preview: boolean;
    readonly ignoreChanges: readonly string[];
}

/** Read a resource; on import, state and inputs are empty. */
export interface ReadRequest extends ResourceRequest {
    readonly id: string;
    readonly properties: Properties;
    readonly inputs: Properties;
}

/** What was read. */
export interface ReadResponse {
    /** Empty when the resource is gone. */
    readonly id: string;
    readonly properties: Properties;
    readonly inputs: Properties;
}

/** Delete a resource. */
export interface DeleteRequest extends ResourceRequest {
    readonly id: string;
    readonly properties: Properties;
    readonly oldInputs: Properties;
    readonly timeout: number;
}

/** A resource plugin, as the engine sees it. */
export interface Provider {
    /** The version that it claims. */
    readonly version: string;
    checkConfig?(request: CheckRequest): Promise<CheckResponse>;
    diffConfig?(request: DiffRequest): Promise<DiffResponse>;
    /** @param variables the provider's configuration, every value a string (or JSON of another type) */
    configure?(variables: ReadonlyMap<string, string>): Promise<void>;
    check(request: CheckRequest): Promise<CheckResponse>;
    diff(request: DiffRequest): Promise<DiffResponse>;
    create(request: CreateRequest): Promise<CreateResponse>;
    read(request: ReadRequest): Promise<ReadResponse>;
    update(request: UpdateRequest): Promise<Properties>;
    delete(request: DeleteRequest): Promise<void>;
    /** A function of the package. */
    invoke?(token: string, args: Properties): Promise<Properties>;
    /** The user wants to end: give up waiting. */
    cancel?(): void;
}

/** The resource exists, but is not ready: it is kept in the state, with these reasons, for the next run to go on. */
export class InitializationFailed extends Error {
    constructor(
        readonly id: string,
        message: string,
        readonly properties: Properties,
        readonly reasons: readonly string[],
        readonly inputs?: Properties,
    ) {
        super(message);
    }
}
