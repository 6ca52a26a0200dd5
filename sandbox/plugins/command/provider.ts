import type { Host } from "../shared/host";
import { uniqueName } from "../shared/names";
import type {
    CheckFailure,
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
import { type Properties, reveal } from "../shared/values";
import { copyFields, copyFileFields, copyToRemote, hashOf } from "./copy";
import { checkFields, diffFields, type Fields, previewOf, stateOf } from "./fields";
import { text } from "./inputs";
import { localCommandFields, localOutputs, localRunFields, runLocal } from "./local";
import { remoteCommandFields, runRemote } from "./remote";

/** What an operation knows of its surroundings. */
interface Context {
    readonly host: Host;
    readonly urn: string;
    readonly signal: AbortSignal;
}

/** How one type of resource behaves. */
interface Kind {
    /** Name of its inputs in messages. */
    readonly owner: string;
    readonly fields: Fields;
    readonly outputs: readonly string[];
    /** Whether a change can be made without a replacement. */
    readonly updates: boolean;
    /** Whether the resource's name is part of the id. */
    readonly namesId: boolean;
    create(inputs: Properties, context: Context): Promise<Properties>;
    update(inputs: Properties, olds: Properties, context: Context): Promise<Properties>;
    delete(state: Properties, context: Context): Promise<void>;
}

type Run = (command: string, state: Properties, context: Context) => Promise<Properties>;

/** Only the outputs of a state: what the run before printed. */
function outputsOf(state: Properties): Properties {
    return Object.fromEntries(
        ["stdout", "stderr", "assets", "archive"].flatMap((name) =>
            state[name] === undefined ? [] : [[name, reveal(state[name])]],
        ),
    );
}

function commandKind(owner: string, fields: Fields, run: Run): Kind {
    const command = (inputs: Properties, name: string) => text({ value: reveal(inputs[name] ?? null) }, "value");
    const nothing: Properties = { stdout: "", stderr: "" };
    return {
        owner,
        fields,
        outputs: localOutputs,
        updates: true,
        namesId: true,
        create: async (inputs, context) => {
            const create = command(inputs, "create");
            return create === undefined ? nothing : run(create, inputs, context);
        },
        update: async (inputs, olds, context) => {
            const update = command(inputs, "update") ?? command(inputs, "create");
            const before = outputsOf(olds);
            return update === undefined
                ? before
                : { ...before, ...(await run(update, { ...inputs, ...before }, context)) };
        },
        delete: async (state, context) => {
            const remove = command(state, "delete");
            if (remove !== undefined) {
                await run(remove, state, context);
            }
        },
    };
}

function copyKind(owner: string, fields: Fields, updates: boolean): Kind {
    const copy = async (inputs: Properties, context: Context) => {
        await copyToRemote(inputs, context);
        return {};
    };
    return {
        owner,
        fields,
        outputs: [],
        updates,
        namesId: false,
        create: copy,
        update: async (inputs, olds, context) => {
            const isSame = hashOf(inputs) === hashOf(olds) && inputs["remotePath"] === olds["remotePath"];
            return isSame ? {} : copy(inputs, context);
        },
        delete: async () => {},
    };
}

const kinds: Readonly<Record<string, Kind>> = {
    "command:local:Command": commandKind("local.CommandInputs", localCommandFields, runLocal),
    "command:remote:Command": commandKind("remote.CommandInputs", remoteCommandFields, runRemote),
    "command:remote:CopyToRemote": copyKind("remote.CopyToRemoteInputs", copyFields, true),
    "command:remote:CopyFile": copyKind("remote.CopyFileInputs", copyFileFields, false),
};

function kindOf(type: string): Kind {
    const kind = kinds[type];
    if (!kind) {
        throw new Error(`[Command] type ${type} not found`);
    }
    return kind;
}

/** The command plugin: commands and copies, on this machine and on others. */
export class CommandProvider implements Provider {
    readonly version: string;
    readonly #host: Host;
    readonly #cancelled = new AbortController();

    constructor(version: string, host: Host) {
        this.version = version;
        this.#host = host;
    }

    async check({ type, news }: CheckRequest): Promise<CheckResponse> {
        const { owner, fields } = kindOf(type);
        const failures: CheckFailure[] = [];
        const inputs = checkFields(owner, "", fields, news, failures);
        return { inputs, failures };
    }

    async diff(request: DiffRequest): Promise<DiffResponse> {
        const { fields, updates } = kindOf(request.type);
        return diffFields(fields, request, updates);
    }

    async create({ type, name, urn, properties, preview }: CreateRequest): Promise<CreateResponse> {
        const kind = kindOf(type);
        if (preview) {
            return { id: "", properties: previewOf(properties, kind.outputs) };
        }
        const id = uniqueName(kind.namesId ? name : "");
        return { id, properties: stateOf(properties, await kind.create(properties, this.#context(urn))) };
    }

    async read({ id, properties, inputs }: ReadRequest): Promise<ReadResponse> {
        return { id, properties, inputs };
    }

    async update({ type, urn, olds, news, preview }: UpdateRequest): Promise<Properties> {
        const kind = kindOf(type);
        return preview
            ? previewOf(news, kind.outputs)
            : stateOf(news, await kind.update(news, olds, this.#context(urn)));
    }

    async delete({ type, urn, properties }: DeleteRequest): Promise<void> {
        await kindOf(type).delete(properties, this.#context(urn));
    }

    async invoke(token: string, args: Properties): Promise<Properties> {
        if (token !== "command:local:run") {
            throw new Error(`[Command] function ${token} not found`);
        }
        const failures: CheckFailure[] = [];
        const inputs = checkFields("local.RunInputs", "", localRunFields, args, failures);
        const [failure] = failures;
        if (failure) {
            throw new Error(failure.reason);
        }
        const command = text({ value: reveal(inputs["command"] ?? null) }, "value") ?? "";
        return stateOf(inputs, await runLocal(command, inputs, this.#context("")));
    }

    cancel(): void {
        this.#cancelled.abort();
    }

    #context(urn: string): Context {
        return { host: this.#host, urn, signal: this.#cancelled.signal };
    }
}
