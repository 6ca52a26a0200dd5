import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { type PodSecurity, podSecurityLabel } from "./pod-security";

/** Arguments of {@link Namespaces}. */
export interface NamespacesArgs {
    /** The system's own namespaces, by name → the Pod Security level that their pods must keep to. */
    readonly system: Readonly<Record<string, PodSecurity>>;
    /** The namespaces of the home's services, likewise; one that is the system's too is made once. */
    readonly services: Readonly<Record<string, PodSecurity>>;
}

/**
 * Namespaces, each with the Pod Security level that the API server enforces in it.
 *
 * Those of services are made here only because their Secrets come before their Applications. From then on Argo CD keeps
 * the level, as the Application's managedNamespaceMetadata says; and they stay when the service goes, since a namespace
 * takes every volume in it along.
 */
export class Namespaces extends pulumi.ComponentResource {
    constructor(name: string, args: NamespacesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Namespaces", name, args, opts);
        const add = (namespaces: Readonly<Record<string, PodSecurity>>, options: pulumi.CustomResourceOptions) => {
            for (const [namespace, level] of Object.entries(namespaces)) {
                new kubernetes.core.v1.Namespace(
                    namespace,
                    { metadata: { name: namespace, labels: { [podSecurityLabel]: level } } },
                    { parent: this, ...options },
                );
            }
        };
        add(args.system, {});
        const services = Object.entries(args.services).filter(([namespace]) => !(namespace in args.system));
        add(Object.fromEntries(services), { ignoreChanges: ["metadata.labels"], retainOnDelete: true });
        this.registerOutputs({});
    }
}
