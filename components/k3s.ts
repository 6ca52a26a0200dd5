import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { readYaml, toYaml, YamlError } from "../config/yaml";
import { Failure } from "../lib/failure";

/** Arguments of {@link K3s}. */
export interface K3sArgs {
    /** Values of the HelmChartConfig `traefik` that exists already, as YAML: they stay, except for those below. */
    readonly traefikValues: pulumi.Input<string>;
}

/** Upload time of the largest video over a slow Wi-Fi; Traefik's default cuts a request body after 60 seconds. */
const readTimeout = "30m";

/** Values that the home needs of k3s' Traefik. https://github.com/traefik/traefik-helm-chart */
const needed = {
    ports: {
        web: { transport: { respondingTimeouts: { readTimeout } } },
        websecure: { transport: { respondingTimeouts: { readTimeout } } },
        // Gitea's SSH, at the same address as its page: charts/gitops/templates/ssh.yaml.
        ssh: { port: 2222, exposedPort: 22, protocol: "TCP", expose: { default: true } },
    },
    // Services see the client's own address: rate limits and login blocks are per client, not for the whole home.
    service: { spec: { externalTrafficPolicy: "Local" } },
};

function merged(into: unknown, from: unknown): unknown {
    if (typeof into !== "object" || into === null || typeof from !== "object" || from === null) {
        return from;
    }
    const entries = Object.entries(from).map(([key, value]) => [key, merged(Object(into)[key], value)]);
    return { ...into, ...Object.fromEntries(entries) };
}

/**
 * Values for k3s' Traefik: those that exist, with the home's over them.
 *
 * @param existing YAML of the HelmChartConfig, empty without one
 * @throws Failure when that is not valid YAML
 */
export function traefikValues(existing: string): string {
    try {
        return toYaml(merged(readYaml(existing, { generated: true }) ?? {}, needed));
    } catch (error) {
        throw error instanceof YamlError
            ? new Failure(`HelmChartConfig traefik in kube-system: valuesContent is not valid YAML: ${error.message}`)
            : error;
    }
}

/** Settings of k3s' own parts: Traefik, and the StorageClass local-path. https://docs.k3s.io/add-ons/helm */
export class K3s extends pulumi.ComponentResource {
    constructor(name: string, args: K3sArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:K3s", name, {}, opts);
        new kubernetes.apiextensions.CustomResource(
            `${name}-traefik`,
            {
                apiVersion: "helm.cattle.io/v1",
                kind: "HelmChartConfig",
                metadata: { name: "traefik", namespace: "kube-system" },
                spec: { valuesContent: pulumi.output(args.traefikValues).apply(traefikValues) },
            },
            // Somebody else's values may be in it.
            { parent: this, retainOnDelete: true },
        );
        new kubernetes.storage.v1.StorageClass(
            `${name}-local-path`,
            {
                metadata: { name: "local-path" },
                provisioner: "rancher.io/local-path",
                reclaimPolicy: "Delete",
                volumeBindingMode: "WaitForFirstConsumer",
                // The one field that k3s does not set. It enforces no size, but without this a commit that raises the
                // size of a claim is refused, and never syncs.
                allowVolumeExpansion: true,
            },
            { parent: this, retainOnDelete: true },
        );
        this.registerOutputs({});
    }
}
