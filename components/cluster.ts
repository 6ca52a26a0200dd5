import { setTimeout as pause } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { readKubeconfig } from "../config/kubeconfig";
import { Failure } from "../lib/failure";
import { bytesOf } from "./memory";
import { type Instance, loadClient, loadKubeConfig, refusedCertificate } from "./waits/cluster";

/** A Service of type LoadBalancer. */
export interface LoadBalancer {
    /** `namespace/name` */
    readonly service: string;
    /** Addresses that it has. */
    readonly addresses: readonly string[];
    /** Address that it requests from MetalLB. */
    readonly requested?: string | undefined;
}

/** Facts about a cluster that the program and the charts need, as its API server lists them. */
export interface ClusterFacts {
    /** Names of the nodes. */
    readonly nodes: readonly string[];
    /** Architectures of the nodes that images exist for, sorted. */
    readonly architectures: readonly string[];
    /** Extended resources that the nodes offer, for instance `gpu.intel.com/i915`. */
    readonly devices: readonly string[];
    readonly storageClasses: readonly string[];
    readonly namespaces: readonly string[];
    /** Memory that pods of all nodes can request together, in bytes; 0 if no node reports it. */
    readonly memory: number;
    /** Claims on an NFS server, `namespace/name`. */
    readonly nfsClaims: readonly string[];
    /** Services that k3s' ServiceLB serves, `namespace/name`. */
    readonly serviceLb: readonly string[];
    /** Services of type LoadBalancer. */
    readonly loadBalancers: readonly LoadBalancer[];
    /** Values of the HelmChartConfig `traefik` in kube-system; empty without one. */
    readonly traefikValues: string;
}

/** Milliseconds until an API server that does not answer counts as unreachable. */
const patience = 5_000;

/** Milliseconds during which an update retries: a server that the same run restarts is unreachable for less. */
const updatePatience = 30_000;

/** Label of the DaemonSets that ServiceLB creates: https://docs.k3s.io/networking/networking-services#service-load-balancer */
const serviceLbLabel = "svccontroller.k3s.cattle.io/svcname";

/** Annotation that requests an address from MetalLB. https://metallb.io/usage/#requesting-specific-ips */
export const addressRequest = "metallb.io/loadBalancerIPs";

/** Architectures that charts know: global.architectures in charts/common. */
const supported = ["amd64", "arm64"];

const sorted = (names: readonly (string | undefined)[]): string[] =>
    [...new Set(names.filter((name) => name !== undefined))].sort();

function factsOf(
    nodes: readonly Instance<"V1Node">[],
    classes: readonly Instance<"V1StorageClass">[],
    namespaces: readonly Instance<"V1Namespace">[],
    volumes: readonly Instance<"V1PersistentVolume">[],
    daemonSets: readonly Instance<"V1DaemonSet">[],
    services: readonly Instance<"V1Service">[],
    traefikValues: string,
): ClusterFacts {
    return {
        nodes: sorted(nodes.map(({ metadata }) => metadata?.name)),
        architectures: sorted(nodes.map(({ status }) => status?.nodeInfo?.architecture)).filter((name) =>
            supported.includes(name),
        ),
        devices: sorted(nodes.flatMap(({ status }) => Object.keys(status?.allocatable ?? {}))).filter((name) =>
            name.includes("/"),
        ),
        memory: nodes.reduce((sum, { status }) => sum + bytesOf(status?.allocatable?.["memory"]), 0),
        storageClasses: sorted(classes.map(({ metadata }) => metadata?.name)),
        namespaces: sorted(namespaces.map(({ metadata }) => metadata?.name)),
        nfsClaims: sorted(
            volumes
                .filter(({ spec }) => spec?.csi?.driver === "nfs.csi.k8s.io")
                .map(({ spec }) => `${spec?.claimRef?.namespace}/${spec?.claimRef?.name}`),
        ),
        serviceLb: sorted(
            daemonSets.map(({ metadata }) => {
                const namespace = metadata?.labels?.["svccontroller.k3s.cattle.io/svcnamespace"];
                return `${namespace}/${metadata?.labels?.[serviceLbLabel]}`;
            }),
        ),
        loadBalancers: services
            .filter(({ spec }) => spec?.type === "LoadBalancer")
            .map(({ metadata, status }) => ({
                service: `${metadata?.namespace}/${metadata?.name}`,
                addresses: (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []),
                requested: metadata?.annotations?.[addressRequest],
            })),
        traefikValues,
    };
}

/**
 * Queries the API server.
 *
 * @param kubeconfig path to a kubeconfig, or the contents of one
 * @returns undefined when the API server does not answer: later steps that change the cluster then report why
 * @throws Failure when its certificate is not trusted here
 */
export async function readCluster(kubeconfig: string): Promise<ClusterFacts | undefined> {
    try {
        const client = await loadClient();
        const config = loadKubeConfig(client, kubeconfig);
        const options = { timeoutSeconds: patience / 1_000 };
        const read = Promise.all([
            config.makeApiClient(client.CoreV1Api).listNode(options),
            config.makeApiClient(client.StorageV1Api).listStorageClass(options),
            config.makeApiClient(client.CoreV1Api).listNamespace(options),
            config.makeApiClient(client.CoreV1Api).listPersistentVolume(options),
            config
                .makeApiClient(client.AppsV1Api)
                .listDaemonSetForAllNamespaces({ ...options, labelSelector: serviceLbLabel }),
            config.makeApiClient(client.CoreV1Api).listServiceForAllNamespaces(options),
            config
                .makeApiClient(client.CustomObjectsApi)
                .getNamespacedCustomObject({
                    group: "helm.cattle.io",
                    version: "v1",
                    namespace: "kube-system",
                    plural: "helmchartconfigs",
                    name: "traefik",
                })
                .then(
                    ({ spec }: { spec?: { valuesContent?: string } }) => spec?.valuesContent ?? "",
                    (error) => (Object(error).code === 404 ? "" : Promise.reject(error)),
                ),
        ]);
        const late = new Promise<never>((_, reject) => setTimeout(reject, patience).unref());
        const [nodes, classes, namespaces, volumes, daemonSets, services, traefik] = await Promise.race([read, late]);
        return factsOf(
            ...([nodes.items, classes.items, namespaces.items] as const),
            ...([volumes.items, daemonSets.items, services.items, traefik] as const),
        );
    } catch (error) {
        const refused = refusedCertificate(error);
        if (refused !== undefined) {
            throw new Failure(refused);
        }
        return undefined;
    }
}

/**
 * A sentence about a kubeconfig that points to this host, where no API server answers: k3s writes 127.0.0.1 into its
 * own, and k3d and kind into theirs.
 *
 * @param kubeconfig path to a kubeconfig, or the contents of one
 * @returns undefined for any other
 */
function loopbackMistake(kubeconfig: string): string | undefined {
    try {
        const { server, isLoopback } = readKubeconfig(kubeconfig);
        return isLoopback
            ? `The API server of hearth:kubeconfig does not answer: ${server} is an address of this machine. If the cluster runs on ` +
                  "another one, write its address in the kubeconfig instead (k3s' certificate has the node's)."
            : undefined;
    } catch {
        return undefined; // In a preview, or rejected elsewhere.
    }
}

/**
 * Rejects a cluster in which another component competes with this program, or whose data it would cut off.
 *
 * @param hasNfs whether the home has an NFS server
 * @throws Failure
 */
export function checkCluster(
    { serviceLb, nfsClaims }: Pick<ClusterFacts, "serviceLb" | "nfsClaims">,
    hasNfs: boolean,
): void {
    if (!hasNfs && nfsClaims.length > 0) {
        throw new Failure(
            `set hearth:nfs: this cluster has data on an NFS server (the claims ${nfsClaims.join(", ")}), and no pod could mount it ` +
                "without the driver. To stop using the server, move the data and delete these claims first",
        );
    }
    if (serviceLb.length > 0) {
        throw new Failure(
            `ServiceLB of k3s serves ${serviceLb.join(", ")} in this cluster. It and MetalLB would compete for every ` +
                "Service of type LoadBalancer. Turn it off on each server, then rerun this:\n" +
                "  echo 'disable: [servicelb]' | sudo tee /etc/rancher/k3s/config.yaml.d/servicelb.yaml\n" +
                "  sudo systemctl restart k3s",
        );
    }
}

/** A cluster, inspected before any change to it. */
export interface Cluster {
    /** Path to a kubeconfig, or the contents of one; known once the cluster has been checked. */
    readonly kubeconfig: pulumi.Output<string>;
    /** Undefined when the API server did not answer. */
    readonly facts: pulumi.Output<ClusterFacts | undefined>;
}

/**
 * Inspects and checks a cluster. Every consumer of the result's kubeconfig waits for that.
 *
 * @param hasNfs whether the home has an NFS server
 * @param warnings about requests of the services that the cluster cannot meet
 */
export function askCluster(
    kubeconfig: pulumi.Output<string>,
    hasNfs: boolean,
    warnings: (facts: ClusterFacts) => readonly string[],
): Cluster {
    const asked = kubeconfig.apply(async (given) => {
        const end = Date.now() + (pulumi.runtime.isDryRun() ? 0 : updatePatience);
        let facts: ClusterFacts | undefined;
        // Without its facts, an update would replace existing values for Traefik with its own. The certificate of a
        // restarting server may also be missing its new address for a moment.
        for (let isOver = false; !facts && !isOver; ) {
            isOver = Date.now() >= end;
            facts = await readCluster(given).catch((error) => (isOver ? Promise.reject(error) : undefined));
            if (!facts && !isOver) {
                await pause(2_000);
            }
        }
        const mistake = facts ? undefined : loopbackMistake(given);
        if (mistake !== undefined) {
            await pulumi.log.warn(mistake);
        }
        if (facts) {
            checkCluster(facts, hasNfs);
            await Promise.all(warnings(facts).map((warning) => pulumi.log.warn(warning)));
        }
        return { given, facts };
    });
    return {
        kubeconfig: asked.apply(({ given }) => given),
        // Nothing in it is secret, though the kubeconfig is.
        facts: pulumi.unsecret(asked.apply(({ facts }) => facts)),
    };
}
