import { readApplications } from "../../../components/applications";
import { checkMedia, missingIn, missingNames } from "../../../components/named-things";

const facts = {
    nodes: ["shelf"],
    devices: ["gpu.intel.com/i915"],
    storageClasses: ["local-path"],
    namespaces: ["kube-system", "database"],
};
const missing = (values: object) => missingNames("charts/x/values.yaml", values, facts);

test.each<[string, object, string]>([
    [
        "a device that no node offers",
        { workloads: { x: { resources: { limits: { memory: "1Gi", "nvidia.com/gpu": 1 } } } } },
        'workloads.x.resources.limits.nvidia.com/gpu: "nvidia.com/gpu" is not a device of this cluster; ' +
            "devices: gpu.intel.com/i915",
    ],
    [
        "the device for transcoding",
        { transcoding: { device: "gpu.intel.com/i916" } },
        'transcoding.device: "gpu.intel.com/i916" is not a device of this cluster; devices: ' + "gpu.intel.com/i915",
    ],
    [
        "a node",
        { defaults: { nodeSelector: { "kubernetes.io/hostname": "shlef" } } },
        'defaults.nodeSelector.kubernetes.io/hostname: "shlef" is not a node of this cluster; nodes: shelf',
    ],
    [
        "a StorageClass",
        { workloads: { x: { volumes: { data: { claim: { size: "1Gi", class: "longhorn" } } } } } },
        'workloads.x.volumes.data.claim.class: "longhorn" is not a StorageClass of this cluster; StorageClasses: ' +
            "local-path, media, nfs",
    ],
    [
        "the namespace of a connection",
        { workloads: { x: { network: { to: [{ namespace: "databse", workload: "postgres" }] } } } },
        'workloads.x.network.to.0.namespace: "databse" is not a namespace of this cluster; namespaces: ' +
            "kube-system, database",
    ],
])("reports %s, with the names that exist", (_, values, message) => {
    expect(missing(values)).toEqual([`charts/x/values.yaml: ${message}`]);
});

test("accepts names that exist, and those that the program creates", () => {
    expect(
        missing({
            transcoding: { device: "gpu.intel.com/i915" },
            nodeSelector: { "kubernetes.io/hostname": "shelf" },
            claim: { class: "nfs" },
            network: { from: [{ namespace: "kube-system", workload: "traefik" }] },
            global: { claimClass: "local-path", media: { storageClass: "media" } },
        }),
    ).toEqual([]);
});

test("this repository's values only refer to objects of a plain k3s", () => {
    const plain = {
        ...facts,
        devices: [],
        architectures: ["amd64"],
        memory: 0,
        nfsClaims: [],
        serviceLb: [],
        loadBalancers: [],
        traefikValues: "",
    };

    expect(readApplications(".", "home").flatMap((each) => missingIn(".", each, plain))).toEqual([]);
});

describe("a home without an export", () => {
    const applications = readApplications(".", "home");
    const without = (...names: string[]) => applications.filter(({ name }) => !names.includes(name));
    const sharing = ["arr", "audiobookshelf", "jellyfin", "kavita", "navidrome", "qbittorrent", "tdarr"];

    test("reports the services that share media, before anything is created", () => {
        expect(() => checkMedia(".", applications, undefined)).toThrow(
            `set hearth:nfs: ${sharing.join(", ")} share media on an export.`,
        );
        expect(() => checkMedia(".", without(...sharing.slice(1)), undefined)).toThrow("set hearth:nfs: arr share");
    });

    test("runs the other services, and a home with an export runs all of them", () => {
        expect(() => checkMedia(".", without(...sharing), undefined)).not.toThrow();
        expect(() => checkMedia(".", applications, { server: "nas", path: "/export" })).not.toThrow();
    });

    test("runs a service whose Application removes the volume", () => {
        const [qbittorrent] = applications.filter(({ name }) => name === "qbittorrent");
        const withValues = (values: object) => {
            const copy = structuredClone(qbittorrent) as (typeof applications)[number];
            Object.assign(copy.manifest.spec.sources[0], { helm: { valuesObject: values } });
            return [copy];
        };
        const volumes = { workloads: { qbittorrent: { volumes: { data: null } } } };
        expect(() => checkMedia(".", withValues(volumes), undefined)).not.toThrow();
        expect(() => checkMedia(".", withValues({ workloads: { other: null } }), undefined)).toThrow("qbittorrent");
    });
});
