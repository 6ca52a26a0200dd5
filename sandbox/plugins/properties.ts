import type * as pulumi from "@pulumi/pulumi";
import type { CheckResult } from "@pulumi/pulumi/provider";
import {
    deserializeProperty,
    isRpcSecret,
    specialSecretSig,
    specialSigKey,
    unknownValue,
    unwrapRpcSecret,
} from "@pulumi/pulumi/runtime/rpc";
import type { z } from "zod";

/** Inputs or state as the engine sends them, with secrets marked. */
export type Properties = Readonly<Record<string, unknown>>;

/**
 * A schema for some of the arguments of an official resource: the compiler rejects fields and types that are not in the
 * official type.
 */
export type SchemaOf<Args> = { readonly [Name in keyof Args]?: z.ZodType<pulumi.Unwrap<Args[Name]>> };

/** Plain values of properties. */
export function reveal(properties: Properties): Record<string, unknown> {
    const entries = Object.entries(properties);
    return Object.fromEntries(entries.map(([name, value]) => [name, unwrapRpcSecret(deserializeProperty(value))]));
}

/** Marks a value as secret. */
export function secret(value: unknown): unknown {
    return { [specialSigKey]: specialSecretSig, value };
}

/** Reports whether a property is secret, or has a secret part. */
export function hasSecrets(properties: Properties): boolean {
    return Object.values(properties).some((value) => isRpcSecret(deserializeProperty(value)));
}

/** Validates inputs. In a preview, inputs with unknown parts pass: the update validates them again. */
export function check(schema: z.ZodType, inputs: Properties): CheckResult {
    if (JSON.stringify(inputs).includes(unknownValue)) {
        return { inputs };
    }
    // Zod's messages name fields and types, never a value, which may be secret.
    const issues = schema.safeParse(reveal(inputs)).error?.issues ?? [];
    return { inputs, failures: issues.map(({ path, message }) => ({ property: path.join("."), reason: message })) };
}

/** Type token and name of the resource that a URN stands for. */
export function parseUrn(urn: pulumi.URN): { readonly type: string; readonly name: string } {
    const [, , types = "", ...name] = urn.split("::");
    return { type: types.slice(types.lastIndexOf("$") + 1), name: name.join("::") };
}
