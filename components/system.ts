import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/settings";
import { type Application, chartRepositories, podSecurity, smallFileOf } from "./applications";
import { ArgoCD } from "./argocd";
import { CertManager } from "./cert-manager";
import { Descheduler } from "./descheduler";
import { K3s } from "./k3s";
import { MetalLB } from "./metallb";
import { Namespaces } from "./namespaces";
import { NfsCsi } from "./nfs-csi";
import { PriorityClasses } from "./priority-classes";
import { Projects } from "./projects";
import type { WrittenSecret } from "./secrets";

const argocdValues = "charts/gitops/argo-cd.values.yaml";

/** Arguments of {@link System}. */
export interface SystemArgs {
    /** The cluster: path to a kubeconfig, or the contents of one. */
    readonly kubeconfig: pulumi.Input<string>;
    /** The stack's configuration. */
    readonly settings: Settings;
    /** All Applications of the home. */
    readonly applications: readonly Application[];
    /** Existing values of k3s' Traefik, as YAML; none by default. */
    readonly traefikValues?: pulumi.Input<string>;
    /** Address of Traefik's Service; by default the current one, or any of MetalLB's. */
    readonly traefikAddress?: pulumi.Input<string | undefined>;
}

/** Prerequisites of Argo CD: namespaces, priority classes and the Helm releases, in parallel. */
export class System extends pulumi.ComponentResource {
    /** Secrets of the system itself. */
    readonly written: readonly WrittenSecret[];

    /** Password of Argo CD's account `owner`, a secret. */
    readonly argocdPassword: pulumi.Output<string>;

    constructor(name: string, args: SystemArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:System", name, {}, opts);
        const { kubeconfig } = args;
        const { charts, loadBalancer, nfs, profile, repository } = args.settings;
        const chartRepository = charts.repository;
        const systemNamespaces = {
            argocd: "restricted",
            "cert-manager": "restricted",
            "metallb-system": "privileged", // the speaker responds to ARP on the host's network
        } as const;

        const namespaces = new Namespaces(
            "namespaces",
            {
                services: Object.fromEntries(args.applications.map((each) => [each.namespace, podSecurity(each)])),
                system: systemNamespaces,
            },
            { parent: this },
        );
        const first = [
            namespaces,
            new PriorityClasses("priority-classes", {}, { parent: this }),
            new K3s(
                "k3s",
                { traefikValues: args.traefikValues ?? "", traefikAddress: args.traefikAddress },
                { parent: this },
            ),
        ];
        const opt = { parent: this, dependsOn: first };
        const common = (namespace: keyof typeof systemNamespaces) => ({
            namespace,
            namespaceUid: namespaces.uids.get(namespace),
            kubeconfig,
            chartRepository,
        });
        new MetalLB("metallb", { ...common("metallb-system"), addresses: loadBalancer.addresses }, opt);
        new CertManager("cert-manager", common("cert-manager"), opt);
        if (nfs) {
            new NfsCsi("nfs-csi", { ...nfs, chartRepository }, opt);
        }
        new Descheduler("descheduler", { chartRepository }, opt);
        const argocd = new ArgoCD(
            "argocd",
            {
                namespace: "argocd",
                valueFiles: [argocdValues, ...(profile === "small" ? [smallFileOf(argocdValues)] : [])],
                chartRepository,
            },
            opt,
        );
        this.written = [argocd.redis];
        this.argocdPassword = argocd.ownerPassword;
        new Projects(
            "projects",
            {
                applications: args.applications,
                systemNamespaces: Object.keys(systemNamespaces),
                gitRepository: repository.url,
                chartRepositories: chartRepository ? [chartRepository] : chartRepositories(args.applications),
            },
            { parent: this, dependsOn: argocd },
        );
        this.registerOutputs({});
    }
}
