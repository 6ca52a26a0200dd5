import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { type Properties, secret, type Value } from "../shared/values";
import { bcrypt } from "./bcrypt";
import { randomString, type StringOptions } from "./characters";

/** A new value: the id and what it is made of. */
export interface Made {
    readonly id: string;
    readonly outputs: Properties;
}

/** One type of random value. */
export interface RandomKind {
    /** Inputs, with their defaults; undefined where there is none. */
    readonly inputs: Readonly<Record<string, Value | undefined>>;
    readonly required: readonly string[];
    /** Outputs that are not inputs. */
    readonly outputs: readonly string[];
    /** What is wrong with complete inputs, or undefined. */
    problem(inputs: Properties): string | undefined;
    make(inputs: Properties): Made;
    /** Inputs and value of an import id. */
    adopt(id: string): Made & { readonly inputs: Properties };
}

function integer(inputs: Properties, name: string): number {
    return Number(inputs[name] ?? 0);
}

const stringDefaults = {
    keepers: undefined,
    length: undefined,
    special: true,
    upper: true,
    lower: true,
    numeric: true,
    number: true,
    minNumeric: 0,
    minUpper: 0,
    minLower: 0,
    minSpecial: 0,
    overrideSpecial: undefined,
};

function stringOptions(inputs: Properties): StringOptions {
    const isOn = (name: string) => inputs[name] !== false;
    return {
        length: integer(inputs, "length"),
        upper: isOn("upper"),
        lower: isOn("lower"),
        numeric: isOn("numeric") && isOn("number"),
        special: isOn("special"),
        minUpper: integer(inputs, "minUpper"),
        minLower: integer(inputs, "minLower"),
        minNumeric: integer(inputs, "minNumeric"),
        minSpecial: integer(inputs, "minSpecial"),
        overrideSpecial: String(inputs["overrideSpecial"] ?? ""),
    };
}

function stringProblem(inputs: Properties): string | undefined {
    const options = stringOptions(inputs);
    const { length, minUpper, minLower, minNumeric, minSpecial } = options;
    if (length < 1) {
        return `Attribute length value must be at least 1, got: ${length}`;
    }
    if (minUpper + minLower + minNumeric + minSpecial > length) {
        return (
            "Attribute length value must be at least sum of min_upper + min_lower + min_numeric + min_special, " +
            `got: ${length}`
        );
    }
    if (!options.upper && !options.lower && !options.numeric && !options.special) {
        return "At least one attribute out of [special, upper, lower, numeric] must be specified as true";
    }
    return undefined;
}

const bytesDefaults = { keepers: undefined, length: undefined };

function positive(name: string): (inputs: Properties) => string | undefined {
    return (inputs) =>
        integer(inputs, name) < 1
            ? `Attribute ${name} value must be at least 1, got: ${integer(inputs, name)}`
            : undefined;
}

function bytesOutputs(bytes: Buffer): Properties {
    return { base64: secret(bytes.toString("base64")), hex: secret(bytes.toString("hex")) };
}

function idMade(bytes: Buffer, prefix: string): Made {
    const url = bytes.toString("base64url");
    return {
        id: url,
        outputs: {
            b64Std: prefix + bytes.toString("base64"),
            b64Url: prefix + url,
            hex: prefix + bytes.toString("hex"),
            dec: prefix + BigInt(`0x${bytes.toString("hex") || "0"}`).toString(),
        },
    };
}

/** The types of random values, by token. */
export const randomKinds: Readonly<Record<string, RandomKind>> = {
    "random:index/randomPassword:RandomPassword": {
        inputs: stringDefaults,
        required: ["length"],
        outputs: ["result", "bcryptHash"],
        problem: stringProblem,
        make: (inputs) => {
            const result = randomString(stringOptions(inputs));
            return { id: "none", outputs: { result: secret(result), bcryptHash: secret(bcrypt(result)) } };
        },
        adopt: (id) => ({
            id: "none",
            inputs: { length: [...id].length },
            outputs: { result: secret(id), bcryptHash: secret(bcrypt(id)) },
        }),
    },
    "random:index/randomString:RandomString": {
        inputs: stringDefaults,
        required: ["length"],
        outputs: ["result"],
        problem: stringProblem,
        make: (inputs) => {
            const result = randomString(stringOptions(inputs));
            return { id: result, outputs: { result } };
        },
        adopt: (id) => ({ id, inputs: { length: [...id].length }, outputs: { result: id } }),
    },
    "random:index/randomBytes:RandomBytes": {
        inputs: bytesDefaults,
        required: ["length"],
        outputs: ["base64", "hex"],
        problem: positive("length"),
        make: (inputs) => ({ id: "none", outputs: bytesOutputs(randomBytes(integer(inputs, "length"))) }),
        adopt: (id) => {
            const bytes = Buffer.from(id, "base64");
            return { id: "none", inputs: { length: bytes.length }, outputs: bytesOutputs(bytes) };
        },
    },
    "random:index/randomId:RandomId": {
        inputs: { keepers: undefined, byteLength: undefined, prefix: undefined },
        required: ["byteLength"],
        outputs: ["b64Std", "b64Url", "hex", "dec"],
        problem: positive("byteLength"),
        make: (inputs) => idMade(randomBytes(integer(inputs, "byteLength")), String(inputs["prefix"] ?? "")),
        adopt: (id) => {
            const [first = "", second] = id.split(",");
            const prefix = second === undefined ? "" : first;
            const bytes = Buffer.from(second ?? first, "base64url");
            const inputs = { byteLength: bytes.length, ...(prefix === "" ? {} : { prefix }) };
            return { inputs, ...idMade(bytes, prefix) };
        },
    },
    "random:index/randomUuid:RandomUuid": {
        inputs: { keepers: undefined },
        required: [],
        outputs: ["result"],
        problem: () => undefined,
        make: () => {
            const result = randomUUID();
            return { id: result, outputs: { result } };
        },
        adopt: (id) => ({ id, inputs: {}, outputs: { result: id } }),
    },
    "random:index/randomInteger:RandomInteger": {
        inputs: { keepers: undefined, min: undefined, max: undefined },
        required: ["min", "max"],
        outputs: ["result"],
        problem: (inputs) =>
            integer(inputs, "max") < integer(inputs, "min")
                ? "The minimum (min) value needs to be smaller than or equal to maximum (max) value."
                : undefined,
        make: (inputs) => {
            const result = randomInt(integer(inputs, "min"), integer(inputs, "max") + 1);
            return { id: String(result), outputs: { result } };
        },
        adopt: (id) => {
            const [result = 0, min = 0, max = 0] = id.split(",").map(Number);
            return { id: String(result), inputs: { min, max }, outputs: { result } };
        },
    },
};
