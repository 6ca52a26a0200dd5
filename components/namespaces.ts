import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

/** Levels of the Pod Security Standards. https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
export type PodSecurity = "restricted" | "baseline" | "privileged";

/** Arguments of {@link Namespaces}. */
export interface NamespacesArgs {
    /** Name of each namespace → the Pod Security level that its pods must keep to. */
    readonly namespaces: Readonly<Record<string, PodSecurity>>;
}

/** Namespaces, each with the Pod Security level that the API server enforces in it. */
export class Namespaces extends pulumi.ComponentResource {
    constructor(name: string, args: NamespacesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Namespaces", name, args, opts);
        for (const [namespace, level] of Object.entries(args.namespaces)) {
            new kubernetes.core.v1.Namespace(
                namespace,
                { metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": level } } },
                { parent: this },
            );
        }
        this.registerOutputs({});
    }
}
