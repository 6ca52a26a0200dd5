import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { type Application, projectOf, type TierNumber, tiers } from "./applications";

/** Arguments of {@link Projects}. */
export interface ProjectsArgs {
    /** All Applications of the home. */
    readonly applications: readonly Pick<Application, "namespace" | "tier">[];
    /** The system's namespaces, which Applications cannot use unless one of them declares it. */
    readonly systemNamespaces: readonly string[];
    /** URL of the home's Git repository. */
    readonly gitRepository: string;
    /** URLs of Helm repositories from which tier 2 may take upstream charts. */
    readonly chartRepositories: readonly string[];
}

/** Limits of an AppProject: sources, destinations, and kinds of objects. */
export interface ProjectSpec {
    readonly description: string;
    readonly sourceRepos: readonly string[];
    readonly destinations: readonly { readonly server: string; readonly namespace: string }[];
    readonly clusterResourceWhitelist: readonly GroupKind[];
    readonly namespaceResourceWhitelist: readonly GroupKind[];
}

/** A kind of object; the group of the core API is "". */
export interface GroupKind {
    readonly group: string;
    readonly kind: string;
}

const server = "https://kubernetes.default.svc";
const kinds = (group: string, ...names: string[]): GroupKind[] => names.map((kind) => ({ group, kind }));

/** Kinds that the library chart creates. */
const libraryKinds = [
    ...kinds("", "ConfigMap", "PersistentVolumeClaim", "Service", "ServiceAccount"),
    ...kinds("apps", "DaemonSet", "Deployment", "StatefulSet"),
    ...kinds("batch", "CronJob", "Job"),
    ...kinds("networking.k8s.io", "Ingress", "NetworkPolicy"),
    ...kinds("cert-manager.io", "Certificate"),
];

const clusterRoles = kinds("rbac.authorization.k8s.io", "ClusterRole", "ClusterRoleBinding");

/** Kinds that a tier needs beyond its namespaces and the library's. */
const more: Readonly<
    Record<TierNumber, { readonly cluster: readonly GroupKind[]; readonly namespaced: readonly GroupKind[] }>
> = {
    // The wildcard certificate is Traefik's default.
    1: { cluster: kinds("cert-manager.io", "ClusterIssuer"), namespaced: kinds("traefik.io", "TLSStore") },
    // Argo CD's own chart; Prometheus's permission to discover its targets; Gitea's SSH through Traefik.
    2: {
        cluster: [...clusterRoles, ...kinds("apiextensions.k8s.io", "CustomResourceDefinition")],
        namespaced: [
            ...kinds("", "Secret"),
            ...kinds("rbac.authorization.k8s.io", "Role", "RoleBinding"),
            ...kinds("traefik.io", "IngressRouteTCP"),
        ],
    },
    // Gatus and Glance discover the services that they show.
    3: { cluster: clusterRoles, namespaced: [] },
};

/**
 * The AppProjects, by name: one for each tier, one for the root Application, and Argo CD's own, which then allows
 * nothing. A tier's Applications stay out of the namespaces of the system and of the other tiers. A namespace that no
 * Application has yet is open to every tier: a new service is a commit, and needs no run of this program.
 * https://argo-cd.readthedocs.io/en/stable/user-guide/projects/
 */
export function projectSpecs(args: ProjectsArgs): Readonly<Record<string, ProjectSpec>> {
    const namespacesOf = (tier: TierNumber) =>
        args.applications.filter((each) => each.tier === tier).map((each) => each.namespace);
    const ofTiers = tiers.map((tier): [string, ProjectSpec] => {
        // Argo CD's own chart is a source of the Application gitops, which has a namespace of its own.
        const own = new Set([...namespacesOf(tier), ...(tier === 2 ? ["argocd"] : [])]);
        const foreign = [...args.systemNamespaces, ...tiers.flatMap(namespacesOf)].filter((each) => !own.has(each));
        const denied = ["kube-*", ...new Set(foreign)].sort();
        return [
            projectOf(tier),
            {
                description: `Tier ${tier} of the home's services.`,
                sourceRepos: [args.gitRepository, ...(tier === 2 ? args.chartRepositories : [])],
                destinations: [
                    { server, namespace: "*" },
                    ...denied.map((each) => ({ server, namespace: `!${each}` })),
                ],
                clusterResourceWhitelist: [...kinds("", "Namespace"), ...more[tier].cluster],
                namespaceResourceWhitelist: [...libraryKinds, ...more[tier].namespaced],
            },
        ];
    });
    return {
        ...Object.fromEntries(ofTiers),
        root: {
            description: "The Application of Applications.",
            sourceRepos: [args.gitRepository],
            destinations: [{ server, namespace: "argocd" }],
            clusterResourceWhitelist: [],
            namespaceResourceWhitelist: kinds("argoproj.io", "Application"),
        },
        default: {
            description: "Allows nothing: each Application of the home is in the project of its tier.",
            sourceRepos: [],
            destinations: [],
            clusterResourceWhitelist: [],
            namespaceResourceWhitelist: [],
        },
    };
}

/** AppProjects: what Argo CD may deploy, from which sources and to which namespaces. */
export class Projects extends pulumi.ComponentResource {
    constructor(name: string, args: ProjectsArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:Projects", name, {}, opts);
        for (const [project, spec] of Object.entries(projectSpecs(args))) {
            new kubernetes.apiextensions.CustomResource(
                `${name}-${project}`,
                {
                    apiVersion: "argoproj.io/v1alpha1",
                    kind: "AppProject",
                    metadata: {
                        name: project,
                        namespace: "argocd",
                        // Argo CD creates its own project at its first start, and allows everything in it.
                        ...(project === "default" ? { annotations: { "pulumi.com/patchForce": "true" } } : {}),
                    },
                    spec,
                },
                { parent: this },
            );
        }
        this.registerOutputs({});
    }
}
