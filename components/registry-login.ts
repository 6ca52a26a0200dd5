import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Application } from "./applications";
import { base64 } from "./base64";

/** Account of Gitea that pulls images: charts/gitops/config/admin.sh creates it. */
const registryUser = "nodes";

/** Name of the pull secret in a namespace: charts/common/templates/lib/_pod.tpl refers to it. */
const secretName = "registry";

/** Arguments of {@link RegistryLogin}. */
export interface RegistryLoginArgs {
    /** The repository's top folder. */
    readonly root: string;
    /** All Applications of the home. */
    readonly applications: readonly Application[];
    /** DNS domain of the home: the registry is at git.<domain>. */
    readonly domain: string;
    /** Password of the account `nodes`. */
    readonly password: pulumi.Input<string>;
}

/**
 * Namespaces whose charts use images of the home's own registry.
 *
 * @param root the repository's top folder
 */
export function pullingNamespaces(root: string, applications: readonly Application[], domain: string): string[] {
    const registry = new RegExp(`\\brepository: *["']?git\\.${domain.replaceAll(".", "\\.")}/`);
    const pulling = applications.filter(({ name }) =>
        registry.test(readFileSync(join(root, "charts", name, "values.yaml"), "utf8")),
    );
    return [...new Set(pulling.map(({ namespace }) => namespace))];
}

/**
 * Pull secrets for images that the home built: Gitea's registry requires a login. Only where a chart uses such an
 * image. https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/
 */
export class RegistryLogin extends pulumi.ComponentResource {
    constructor(name: string, args: RegistryLoginArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:RegistryLogin", name, {}, opts);
        const { root, applications, domain } = args;
        const config = pulumi.secret(args.password).apply((password) =>
            JSON.stringify({
                auths: { [`git.${domain}`]: { auth: base64(`${registryUser}:${password}`) } },
            }),
        );
        for (const namespace of pullingNamespaces(root, applications, domain)) {
            new kubernetes.core.v1.Secret(
                `${name}-${namespace}`,
                {
                    metadata: { name: secretName, namespace },
                    type: "kubernetes.io/dockerconfigjson",
                    data: { ".dockerconfigjson": config.apply(base64) },
                },
                { parent: this },
            );
        }
        this.registerOutputs({});
    }
}
