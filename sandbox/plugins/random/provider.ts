import { randomBytes, randomInt } from "node:crypto";
import type { CheckResult, CreateResult, DiffResult, Provider } from "@pulumi/pulumi/provider";
import type * as random from "@pulumi/random";
import { hashSync } from "bcryptjs";
import { z } from "zod";
import { check, type Properties, parseUrn, reveal, type SchemaOf, secret } from "../properties";

const length = z.int().min(1);
const keepers = z.record(z.string(), z.string()).optional();

/** Inputs by the type of the resource. */
export const randomSchemas = {
    "random:index/randomPassword:RandomPassword": z.strictObject({
        length,
        special: z.boolean().optional(),
        keepers,
    } satisfies SchemaOf<random.RandomPasswordArgs>),
    "random:index/randomBytes:RandomBytes": z.strictObject({
        length,
        keepers,
    } satisfies SchemaOf<random.RandomBytesArgs>),
    "random:index/randomId:RandomId": z.strictObject({ byteLength: length } satisfies SchemaOf<random.RandomIdArgs>),
} as const;
type Type = keyof typeof randomSchemas;

/** Defaults that the official plugin keeps in a password's state. Without them it would replace the password. */
const passwordDefaults = {
    special: true,
    upper: true,
    lower: true,
    numeric: true,
    number: true,
    minNumeric: 0,
    minUpper: 0,
    minLower: 0,
    minSpecial: 0,
};

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const specials = "!@#$%&*()-_=+[]{}<>:?";

function password(characters: number, special: boolean): string {
    const alphabet = special ? letters + specials : letters;
    return Array.from({ length: characters }, () => alphabet.charAt(randomInt(alphabet.length))).join("");
}

function typeOf(urn: string): Type {
    const { type } = parseUrn(urn);
    if (!(type in randomSchemas)) {
        throw new Error(`the stand-in for Pulumi's random plugin has no ${type}`);
    }
    return type as Type;
}

/** The part of Pulumi's random plugin that this repository's program calls: values that are generated once. */
export class RandomProvider implements Provider {
    readonly version: string;

    constructor(version: string) {
        this.version = version;
    }

    async check(urn: string, _olds: Properties, news: Properties): Promise<CheckResult> {
        return check(randomSchemas[typeOf(urn)], news);
    }

    async diff(_id: string, urn: string, olds: Properties, news: Properties): Promise<DiffResult> {
        const [before, after] = [reveal(olds), { ...passwordDefaults, ...reveal(news) }];
        const replaces = Object.keys(randomSchemas[typeOf(urn)].shape).filter(
            (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name as keyof typeof after]),
        );
        return { changes: replaces.length > 0, replaces };
    }

    async create(urn: string, inputs: Properties): Promise<CreateResult> {
        const values = reveal(inputs);
        const type = typeOf(urn);
        switch (type) {
            case "random:index/randomPassword:RandomPassword": {
                const { length, special = true } = randomSchemas[type].parse(values);
                const result = password(length, special);
                const generated = { result: secret(result), bcryptHash: secret(hashSync(result, 10)) };
                return { id: "none", outs: { ...passwordDefaults, ...inputs, ...generated } };
            }
            case "random:index/randomBytes:RandomBytes": {
                const bytes = randomBytes(randomSchemas[type].parse(values).length);
                const generated = { base64: secret(bytes.toString("base64")), hex: secret(bytes.toString("hex")) };
                return { id: "none", outs: { ...inputs, ...generated } };
            }
            case "random:index/randomId:RandomId": {
                const bytes = randomBytes(randomSchemas[type].parse(values).byteLength);
                const hex = bytes.toString("hex");
                const generated = {
                    b64Std: bytes.toString("base64"),
                    b64Url: bytes.toString("base64url"),
                    hex,
                    dec: BigInt(`0x${hex}`).toString(),
                };
                return { id: generated.b64Url, outs: { ...inputs, ...generated } };
            }
        }
    }
}
