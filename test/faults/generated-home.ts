/** A generated home: different nodes, and workloads that are hard to place for several reasons. */
export interface GeneratedHome {
    /** Node to lose; never the one with the API server. */
    readonly lost: string;
    /** Manifests by the path that they are created under, in order. */
    readonly manifests: readonly (readonly [path: string, manifest: object])[];
}

/** Numbers from 0 to 1 that follow from a seed: mulberry32. */
function numbersFrom(seed: number): () => number {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
}

const namespace = "apps";
const path = (group: string, kind: string) => `${group}/namespaces/${namespace}/${kind}`;
const taint = { key: "home/gpu", value: "yes", effect: "NoSchedule" };

/** The home of a seed. */
export function generateHome(seed: number): GeneratedHome {
    const next = numbersFrom(seed);
    const below = (limit: number) => Math.floor(next() * limit);
    const chance = (share: number) => next() < share;
    const pick = <T>(...choices: T[]): T => choices[below(choices.length)] as T;

    const nodes = Array.from({ length: 4 + below(4) }, (_, index) => {
        const name = `node-${index + 1}`;
        const arch = pick("amd64", "amd64", "arm64");
        const capacity = { cpu: pick("4", "8"), memory: pick("4Gi", "8Gi", "16Gi"), pods: "110" };
        const isServer = index < 3;
        return {
            metadata: {
                name,
                labels: {
                    "kubernetes.io/arch": arch,
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/os": "linux",
                    ...(isServer && {
                        "node-role.kubernetes.io/control-plane": "true",
                        "node-role.kubernetes.io/etcd": "true",
                    }),
                },
            },
            spec: { taints: index > 3 && chance(0.3) ? [taint] : [] },
            status: {
                allocatable: capacity,
                capacity,
                nodeInfo: { architecture: arch, operatingSystem: "linux", kubeletVersion: "v1.36.3+k3s1" },
            },
        };
    });

    const claim = (name: string, storageClassName: string) => ({
        metadata: { name, labels: { "app.kubernetes.io/name": name } },
        spec: { accessModes: ["ReadWriteOnce"], storageClassName, resources: { requests: { storage: "1Gi" } } },
    });
    const manifests: [string, object][] = [
        ["/api/v1/namespaces", { metadata: { name: namespace } }],
        ...nodes.map((node): [string, object] => ["/api/v1/nodes", node]),
        [
            "/apis/storage.k8s.io/v1/storageclasses",
            {
                metadata: { name: "local-path" },
                provisioner: "rancher.io/local-path",
                volumeBindingMode: "WaitForFirstConsumer",
            },
        ],
    ];
    const apps = Array.from({ length: 14 + below(14) }, (_, index) => `app-${index + 1}`);
    for (const [index, name] of apps.entries()) {
        const kind = pick("Deployment", "Deployment", "Deployment", "Deployment", "StatefulSet", "StatefulSet", "Pod");
        const labels = { app: name };
        const selector = { matchLabels: labels };
        const replicas = kind === "Pod" ? 1 : pick(1, 1, 1, 2, 3);
        const storage = chance(0.65) ? pick("local", "local", "nfs") : undefined;
        const memory = pick("128Mi", "256Mi", "512Mi", "1Gi", "2Gi", "3Gi");
        const template = {
            metadata: { labels },
            spec: {
                terminationGracePeriodSeconds: 1,
                priority: pick(0, 0, 0, 1_000, 2_000),
                containers: [
                    {
                        name: "main",
                        image: "example.invalid/app:1",
                        resources: { requests: { cpu: pick("50m", "100m", "500m"), memory } },
                        ...(chance(0.1) && { ports: [{ containerPort: 8_080, hostPort: 8_080 }] }),
                    },
                ],
                ...(chance(0.15) && { nodeSelector: { "kubernetes.io/arch": pick("amd64", "arm64") } }),
                ...(chance(0.15) && { tolerations: [{ key: taint.key, operator: "Exists" }] }),
                ...(replicas > 1 &&
                    chance(0.4) && {
                        affinity: {
                            podAntiAffinity: {
                                requiredDuringSchedulingIgnoredDuringExecution: [
                                    { labelSelector: selector, topologyKey: "kubernetes.io/hostname" },
                                ],
                            },
                        },
                    }),
                ...(replicas > 1 &&
                    chance(0.3) && {
                        topologySpreadConstraints: [
                            {
                                maxSkew: 1,
                                topologyKey: "kubernetes.io/hostname",
                                whenUnsatisfiable: "DoNotSchedule",
                                labelSelector: selector,
                            },
                        ],
                    }),
                ...(replicas === 1 &&
                    index > 0 &&
                    chance(0.1) && {
                        affinity: {
                            podAffinity: {
                                requiredDuringSchedulingIgnoredDuringExecution: [
                                    {
                                        labelSelector: { matchLabels: { app: pick(...apps.slice(0, index)) } },
                                        topologyKey: "kubernetes.io/hostname",
                                    },
                                ],
                            },
                        },
                    }),
                volumes:
                    storage && kind !== "StatefulSet"
                        ? [{ name: "data", persistentVolumeClaim: { claimName: name } }]
                        : [],
            },
        };
        const metadata = { name, labels: { "app.kubernetes.io/name": name } };
        if (storage === "nfs") {
            for (const each of kind === "StatefulSet"
                ? Array.from({ length: replicas }, (_, pod) => `data-${name}-${pod}`)
                : [name]) {
                manifests.push([
                    "/api/v1/persistentvolumes",
                    {
                        metadata: { name: `nfs-${each}` },
                        spec: {
                            accessModes: ["ReadWriteOnce"],
                            capacity: { storage: "1Gi" },
                            claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: each },
                            nfs: { server: "nas.invalid", path: `/${each}` },
                            storageClassName: "nfs",
                        },
                    },
                ]);
            }
        }
        const storageClass = storage === "nfs" ? "nfs" : "local-path";
        if (storage && kind !== "StatefulSet") {
            manifests.push([path("/api/v1", "persistentvolumeclaims"), claim(name, storageClass)]);
        }
        if (kind === "Pod") {
            manifests.push([path("/api/v1", "pods"), { ...template, metadata: { ...metadata, labels } }]);
        } else if (kind === "StatefulSet") {
            manifests.push([
                path("/apis/apps/v1", "statefulsets"),
                {
                    metadata,
                    spec: {
                        ...{ replicas, selector, template, serviceName: name },
                        podManagementPolicy: pick("OrderedReady", "OrderedReady", "Parallel"),
                        volumeClaimTemplates: storage ? [claim("data", storageClass)] : [],
                    },
                },
            ]);
        } else {
            const strategy = { type: storage ? "Recreate" : "RollingUpdate" };
            manifests.push([
                path("/apis/apps/v1", "deployments"),
                { metadata, spec: { replicas, selector, template, strategy } },
            ]);
        }
    }
    manifests.push([
        path("/apis/apps/v1", "daemonsets"),
        {
            metadata: { name: "exporter" },
            spec: {
                selector: { matchLabels: { app: "exporter" } },
                template: {
                    metadata: { labels: { app: "exporter" } },
                    spec: {
                        priority: 2_000_000_000,
                        containers: [
                            {
                                name: "main",
                                image: "example.invalid/exporter:1",
                                resources: { requests: { cpu: "50m", memory: "64Mi" } },
                            },
                        ],
                    },
                },
            },
        },
    ]);
    return { lost: `node-${1 + below(nodes.length)}`, manifests };
}
