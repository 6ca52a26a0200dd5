import { createHash } from "node:crypto";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { base64 } from "./base64";
import type { SecretDeclaration, SecretDeclarations } from "./secret-declarations";

/** Arguments of {@link Secrets}. */
export interface SecretsArgs {
    /** Declarations of each chart's secrets.yaml. */
    readonly declarations: SecretDeclarations;
    /** Chart → key → value, from the stack's config; complete. */
    readonly given: Readonly<Record<string, Readonly<Record<string, string>>>>;
    /** Chart → key → a string that changes to regenerate the value: by convention the day. */
    readonly rotations: Readonly<Record<string, Readonly<Record<string, string>>>>;
    /** Chart → the namespace that it is deployed to. */
    readonly namespaces: Readonly<Record<string, string>>;
}

/** A Secret that this program wrote. */
export interface WrittenSecret {
    readonly chart: string;
    readonly namespace: string;
    readonly name: string;
    /** Charts whose values it includes. */
    readonly from: readonly string[];
    /** Digest of all values; itself secret. */
    readonly digest: pulumi.Output<string>;
}

/** Digest that changes with any value of a Secret; itself secret. */
export function digestOf(secret: kubernetes.core.v1.Secret): pulumi.Output<string> {
    return pulumi.secret(
        secret.data.apply((all) =>
            createHash("sha256")
                .update(JSON.stringify(Object.entries(all).sort()))
                .digest("hex"),
        ),
    );
}

/**
 * One Kubernetes Secret per chart, `<chart>-secrets`: each value from the stack's config, or generated once and kept in
 * the stack's state.
 */
export class Secrets extends pulumi.ComponentResource {
    /** The written Secrets, ordered by chart. */
    readonly written: readonly WrittenSecret[];
    readonly #values = new Map<string, pulumi.Output<string>>();

    constructor(name: string, args: SecretsArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Secrets", name, {}, opts);
        const declared = Object.entries(args.declarations).flatMap(([chart, keys]) =>
            Object.entries(keys).map(([key, declaration]) => ({ chart, key, declaration })),
        );

        const own = this.#values;
        for (const { chart, key, declaration } of declared) {
            const given = args.given[chart]?.[key];
            if (given !== undefined) {
                own.set(`${chart}.${key}`, pulumi.secret(given));
            } else if ("generate" in declaration) {
                own.set(
                    `${chart}.${key}`,
                    this.generate(`${chart}-${key}`, declaration.generate, args.rotations[chart]?.[key]),
                );
            }
        }

        const data: Record<string, Record<string, pulumi.Output<string>>> = {};
        for (const { chart, key, declaration } of declared) {
            if ("optional" in declaration && args.given[chart]?.[key] === undefined) {
                continue;
            }
            const value = own.get(
                "from" in declaration ? `${declaration.from.chart}.${declaration.from.key}` : `${chart}.${key}`,
            );
            if (value === undefined) {
                throw new Error(`no value for secret ${chart}.${key}: check the config's secrets before creating them`);
            }
            data[chart] = { ...data[chart], [key]: value.apply(base64) };
        }
        this.written = Object.entries(data).map(([chart, values]) => {
            const name = `${chart}-secrets`;
            const namespace = args.namespaces[chart] ?? chart;
            const secret = new kubernetes.core.v1.Secret(
                chart,
                { metadata: { name, namespace }, data: values },
                { parent: this },
            );
            const declarations = Object.values(args.declarations[chart] ?? {});
            const from = declarations.flatMap((each) => ("from" in each ? [each.from.chart] : []));
            return { chart, namespace, name, from, digest: digestOf(secret) };
        });
        this.registerOutputs({});
    }

    /**
     * The value of a chart's own key; a secret.
     *
     * @throws Error when the chart's secrets.yaml declares none
     */
    value(chart: string, key: string): pulumi.Output<string> {
        const value = this.#values.get(`${chart}.${key}`);
        if (value === undefined) {
            throw new Error(`charts/${chart}/secrets.yaml declares no ${key}`);
        }
        return value;
    }

    /** A random value of the declared length in characters, regenerated when `rotation` changes. */
    private generate(
        name: string,
        { length, alphabet }: Extract<SecretDeclaration, { generate: unknown }>["generate"],
        rotation: string | undefined,
    ): pulumi.Output<string> {
        const keepers = rotation === undefined ? undefined : { rotation };
        if (alphabet === "hex") {
            const bytes = new random.RandomBytes(name, { length: Math.ceil(length / 2), keepers }, { parent: this });
            // Undefined in a run with `--target` that leaves it out.
            return pulumi.secret(bytes.hex.apply((hex: string | undefined) => (hex ?? "").slice(0, length)));
        }
        return new random.RandomPassword(name, { length, special: alphabet === "ascii", keepers }, { parent: this })
            .result;
    }
}
