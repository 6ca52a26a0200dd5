import type {
    CheckFailure,
    CheckRequest,
    CheckResponse,
    CreateRequest,
    CreateResponse,
    DiffRequest,
    DiffResponse,
    Provider,
    ReadRequest,
    ReadResponse,
    UpdateRequest,
} from "../shared/provider";
import { containsUnknowns, equal, type Properties, secret, Unknown, unknown, withoutSecrets } from "../shared/values";
import { type RandomKind, randomKinds } from "./kinds";

function kindOf(type: string): RandomKind {
    const kind = randomKinds[type];
    if (!kind) {
        throw new Error(
            `this stand-in for the random plugin does not have ${JSON.stringify(type)}; ` +
                `it has ${Object.keys(randomKinds)
                    .map((token) => token.split(":")[2])
                    .join(", ")}`,
        );
    }
    return kind;
}

/** Inputs with the defaults of what they leave out. */
function complete({ inputs: defaults }: RandomKind, inputs: Properties): Properties {
    const given = Object.entries(withoutSecrets(inputs)).filter(([, value]) => value !== null);
    const preset = Object.entries(defaults).filter(([, value]) => value !== undefined);
    const all: Properties = Object.fromEntries([...(preset as [string, boolean | number][]), ...given]);
    // number is numeric's older name.
    if ("numeric" in all && "number" in all && all["numeric"] !== all["number"]) {
        const isOff = all["numeric"] === false || all["number"] === false;
        all["numeric"] = !isOff;
        all["number"] = !isOff;
    }
    return all;
}

/** The random plugin: values that are made once and kept in the state. */
export class RandomProvider implements Provider {
    readonly version: string;

    constructor(version: string) {
        this.version = version;
    }

    async check({ type, name, news }: CheckRequest): Promise<CheckResponse> {
        const kind = kindOf(type);
        const failures: CheckFailure[] = [];
        for (const property of Object.keys(news)) {
            if (property === "seed") {
                throw new Error("this stand-in for the random plugin cannot repeat what a seed gives");
            }
            if (!(property in kind.inputs) && !property.startsWith("__")) {
                const reason = `An argument named "${property}" is not expected here. Examine values at '${name}.${property}'.`;
                failures.push({ property, reason });
            }
        }
        for (const property of kind.required) {
            if (news[property] === undefined || news[property] === null) {
                const reason =
                    `Missing required argument. The argument "${property}" is required, but no definition was found. ` +
                    `Examine values at '${name}.${property}'.`;
                failures.push({ property, reason });
            }
        }
        const problem = failures.length > 0 || containsUnknowns(news) ? undefined : kind.problem(complete(kind, news));
        if (problem !== undefined) {
            failures.push({ property: kind.required[0] ?? "", reason: problem });
        }
        return { inputs: news, failures };
    }

    async diff({ type, olds, news }: DiffRequest): Promise<DiffResponse> {
        const kind = kindOf(type);
        const before = complete(kind, Object.fromEntries(Object.entries(olds).filter(([key]) => key in kind.inputs)));
        const after = complete(kind, news);
        const diffs = Object.keys(kind.inputs).filter(
            (key) => after[key] instanceof Unknown || !equal(before[key], after[key]),
        );
        const kindOfChange = (key: string) =>
            before[key] === undefined ? "add" : after[key] === undefined ? "delete" : "update";
        const detailed = new Map(
            diffs.map((key) => [key, { kind: kindOfChange(key), replace: true, inputDiff: false } as const]),
        );
        return { changes: diffs.length > 0, replaces: diffs, diffs, detailed };
    }

    async create({ type, properties, preview }: CreateRequest): Promise<CreateResponse> {
        const kind = kindOf(type);
        const inputs = complete(kind, properties);
        if (preview) {
            const open = Object.fromEntries(kind.outputs.map((name) => [name, unknown]));
            return { id: "", properties: { ...inputs, ...open } };
        }
        const { id, outputs } = kind.make(inputs);
        return { id, properties: { ...inputs, ...this.#secretKeepers(properties), ...outputs } };
    }

    async read({ type, id, properties, inputs }: ReadRequest): Promise<ReadResponse> {
        if (Object.keys(properties).length > 0) {
            return { id, properties, inputs };
        }
        const kind = kindOf(type);
        const adopted = kind.adopt(id);
        const state = { ...complete(kind, adopted.inputs), ...adopted.outputs };
        return { id: adopted.id, properties: state, inputs: adopted.inputs };
    }

    async update({ olds, news }: UpdateRequest): Promise<Properties> {
        return { ...olds, ...news };
    }

    async delete(): Promise<void> {}

    /** Inputs that the program marks as secret stay so. */
    #secretKeepers(inputs: Properties): Properties {
        return Object.fromEntries(
            Object.entries(inputs)
                .filter(([, value]) => !equal(value, withoutSecrets({ value })["value"]))
                .map(([key, value]) => [key, secret(value)]),
        );
    }
}
