/** One upstream Helm chart, pinned. */
export interface UpstreamChart {
    /** Name of the chart in its repository. */
    readonly chart: string;
    /** URL of the upstream Helm repository. The stack's `charts.repository`, a mirror of all five, replaces it. */
    readonly repository: string;
    /** Exact version of the chart, without a leading v unless the chart's own version has one. */
    readonly version: string;
}

/** Every Helm release that Pulumi installs. Renovate reads the comment above each version. */
export const releases = {
    metallb: {
        chart: "metallb",
        repository: "https://metallb.github.io/metallb",
        // renovate: datasource=helm depName=metallb registryUrl=https://metallb.github.io/metallb
        version: "0.16.2",
    },
    certManager: {
        chart: "cert-manager",
        repository: "https://charts.jetstack.io",
        // renovate: datasource=helm depName=cert-manager registryUrl=https://charts.jetstack.io
        version: "v1.21.2",
    },
    nfsCsi: {
        chart: "csi-driver-nfs",
        repository: "https://raw.githubusercontent.com/kubernetes-csi/csi-driver-nfs/master/charts",
        // renovate: datasource=helm depName=csi-driver-nfs registryUrl=https://raw.githubusercontent.com/kubernetes-csi/csi-driver-nfs/master/charts
        version: "4.13.0",
    },
    descheduler: {
        chart: "descheduler",
        repository: "https://kubernetes-sigs.github.io/descheduler",
        // renovate: datasource=helm depName=descheduler registryUrl=https://kubernetes-sigs.github.io/descheduler
        version: "0.35.0",
    },
    argocd: {
        chart: "argo-cd",
        repository: "https://argoproj.github.io/argo-helm",
        // renovate: datasource=helm depName=argo-cd registryUrl=https://argoproj.github.io/argo-helm
        version: "10.8.0",
    },
} as const satisfies Record<string, UpstreamChart>;

/** Arguments of a `helm.v3.Release` that select its chart. */
export function chartSource({ chart, repository, version }: UpstreamChart, mirror: string | undefined) {
    return { chart, version, repositoryOpts: { repo: mirror ?? repository } };
}
