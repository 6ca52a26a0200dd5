import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { SecretDeclaration, SecretDeclarations } from "./secret-declarations";

/** Arguments of {@link Secrets}. */
export interface SecretsArgs {
    /** What each chart declares in its secrets.yaml. */
    readonly declarations: SecretDeclarations;
    /** Chart → key → value, from the stack's config; complete. */
    readonly given: Readonly<Record<string, Readonly<Record<string, string>>>>;
    /** Chart → the namespace that it is deployed to. */
    readonly namespaces: Readonly<Record<string, string>>;
}

/**
 * One Kubernetes Secret per chart, `<chart>-secrets`: each value from the stack's config, or generated once and kept in
 * the stack's state.
 */
export class Secrets extends pulumi.ComponentResource {
    constructor(name: string, args: SecretsArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Secrets", name, {}, opts);
        const declared = Object.entries(args.declarations).flatMap(([chart, keys]) =>
            Object.entries(keys).map(([key, declaration]) => ({ chart, key, declaration })),
        );

        const own = new Map<string, pulumi.Output<string>>();
        for (const { chart, key, declaration } of declared) {
            const given = args.given[chart]?.[key];
            if (given !== undefined) {
                own.set(`${chart}.${key}`, pulumi.secret(given));
            } else if ("generate" in declaration) {
                own.set(`${chart}.${key}`, this.generate(`${chart}-${key}`, declaration.generate));
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
            data[chart] = { ...data[chart], [key]: value.apply((text) => Buffer.from(text).toString("base64")) };
        }
        for (const [chart, values] of Object.entries(data)) {
            new kubernetes.core.v1.Secret(
                chart,
                { metadata: { name: `${chart}-secrets`, namespace: args.namespaces[chart] }, data: values },
                { parent: this },
            );
        }
        this.registerOutputs({});
    }

    /** A random value of the declared length in characters. */
    private generate(
        name: string,
        { length, alphabet }: Extract<SecretDeclaration, { generate: unknown }>["generate"],
    ): pulumi.Output<string> {
        if (alphabet === "hex") {
            const bytes = new random.RandomBytes(name, { length: Math.ceil(length / 2) }, { parent: this });
            return pulumi.secret(bytes.hex.apply((hex) => hex.slice(0, length)));
        }
        return new random.RandomPassword(name, { length, special: alphabet === "ascii" }, { parent: this }).result;
    }
}
