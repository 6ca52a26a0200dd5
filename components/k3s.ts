import { isIPv4 } from "node:net";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { readYaml, toYaml, YamlError } from "../config/yaml";
import { Failure } from "../lib/failure";
import { addressRequest } from "./cluster";

/** Arguments of {@link K3s}. */
export interface K3sArgs {
    /** Values of the HelmChartConfig `traefik` that exists already, as YAML: they stay, except for those below. */
    readonly traefikValues: pulumi.Input<string>;
    /** Address of Traefik's Service; by default the current one, or any of MetalLB's. */
    readonly traefikAddress?: pulumi.Input<string | undefined>;
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

function parseValues(valuesContent: string): unknown {
    try {
        return readYaml(valuesContent, { generated: true });
    } catch (error) {
        throw error instanceof YamlError
            ? new Failure(`HelmChartConfig traefik in kube-system: valuesContent is not valid YAML: ${error.message}`)
            : error;
    }
}

/** IPv4 address that values of Traefik request from MetalLB, in any of its forms; undefined without one. */
export function requestedAddress(valuesContent: string): string | undefined {
    const { annotations, spec } = Object(Object(parseValues(valuesContent)).service);
    const forms = [
        annotations?.[addressRequest],
        annotations?.["metallb.universe.tf/loadBalancerIPs"],
        spec?.loadBalancerIP,
    ];
    return forms
        .flatMap((each) => String(each ?? "").split(","))
        .find((each) => isIPv4(each.trim()))
        ?.trim();
}

/** Values that request an address; without other requests, since MetalLB rejects a Service with two. */
function withAddress(values: unknown, address: string): unknown {
    const { annotations, spec, ...service } = Object(Object(values).service);
    const { "metallb.universe.tf/loadBalancerIPs": _old, ...others } = Object(annotations);
    const { loadBalancerIP: _field, ...fields } = Object(spec);
    return {
        ...Object(values),
        service: { ...service, annotations: { ...others, [addressRequest]: address }, spec: fields },
    };
}

function merged(into: unknown, from: unknown): unknown {
    if (typeof into !== "object" || into === null || typeof from !== "object" || from === null) {
        return from;
    }
    const entries = Object.entries(from).map(([key, value]) => [key, merged(Object(into)[key], value)]);
    return { ...into, ...Object.fromEntries(entries) };
}

/**
 * Values for k3s' Traefik: the existing ones, with the home's merged over them.
 *
 * @param existing YAML of the HelmChartConfig, empty without one
 * @param address of its Service; undefined keeps the existing one
 * @throws Failure when they are not valid YAML
 */
export function traefikValues(existing: string, address?: string): string {
    const values = merged(parseValues(existing) ?? {}, needed);
    const isRequested = address === undefined || requestedAddress(existing) === address;
    return toYaml(isRequested ? values : withAddress(values, address));
}

/** Settings of k3s' own parts: Traefik, and the StorageClass local-path. https://docs.k3s.io/add-ons/helm */
export class K3s extends pulumi.ComponentResource {
    constructor(name: string, args: K3sArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:components:K3s", name, {}, opts);
        const valuesContent = pulumi
            .all([args.traefikValues, args.traefikAddress])
            .apply(([existing, address]) => traefikValues(existing, address));
        new kubernetes.apiextensions.CustomResource(
            `${name}-traefik`,
            {
                apiVersion: "helm.cattle.io/v1",
                kind: "HelmChartConfig",
                metadata: { name: "traefik", namespace: "kube-system" },
                spec: { valuesContent },
            },
            // It may contain a user's values.
            { parent: this, retainOnDelete: true },
        );
        new kubernetes.storage.v1.StorageClass(
            `${name}-local-path`,
            {
                metadata: { name: "local-path" },
                provisioner: "rancher.io/local-path",
                reclaimPolicy: "Delete",
                volumeBindingMode: "WaitForFirstConsumer",
                // The one field that k3s does not set. It enforces no size, but without this, a commit that raises the
                // size of a claim is rejected, and never syncs.
                allowVolumeExpansion: true,
            },
            { parent: this, retainOnDelete: true },
        );
        this.registerOutputs({});
    }
}
