import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { type PodSecurity, podSecurityLabel } from "./pod-security";

/** Arguments of {@link Namespaces}. */
export interface NamespacesArgs {
    /** The system's own namespaces, by name → the Pod Security level that their pods must meet. */
    readonly system: Readonly<Record<string, PodSecurity>>;
    /** The namespaces of the home's services, likewise; one that is also the system's is created once. */
    readonly services: Readonly<Record<string, PodSecurity>>;
}

/**
 * Namespaces, each with the Pod Security level that the API server enforces in it. Those of services are created here
 * only because their Secrets precede their Applications. From then on Argo CD keeps the level, from the Application's
 * managedNamespaceMetadata. They stay when the service is removed, since deleting a namespace deletes every volume in
 * it.
 */
export class Namespaces extends pulumi.ComponentResource {
    /** UIDs of the system's namespaces, by name; they differ in a rebuilt cluster. */
    readonly uids: ReadonlyMap<string, pulumi.Output<string>>;

    constructor(name: string, args: NamespacesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Namespaces", name, args, opts);
        const add = (namespaces: Readonly<Record<string, PodSecurity>>, options: pulumi.CustomResourceOptions) => {
            return Object.entries(namespaces).map(([namespace, level]) => {
                const { metadata } = new kubernetes.core.v1.Namespace(
                    namespace,
                    { metadata: { name: namespace, labels: { [podSecurityLabel]: level } } },
                    { parent: this, ...options },
                );
                return [namespace, metadata.uid] as const;
            });
        };
        this.uids = new Map(add(args.system, {}));
        const services = Object.entries(args.services).filter(([namespace]) => !(namespace in args.system));
        add(Object.fromEntries(services), { ignoreChanges: ["metadata.labels"], retainOnDelete: true });
        this.registerOutputs({});
    }
}
