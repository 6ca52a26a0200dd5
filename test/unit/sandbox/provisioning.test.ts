import { parseQuantity } from "../../../lib/quantity";
import type {
    V1PersistentVolume,
    V1PersistentVolumeClaim,
    V1StorageClass,
} from "../../../sandbox/controllers/kubernetes-types";
import { isDisposable, provision, type Surroundings, wantedExpansion } from "../../../sandbox/controllers/provisioning";

const local: V1StorageClass = {
    metadata: { name: "local-path" },
    provisioner: "rancher.io/local-path",
    reclaimPolicy: "Delete",
    volumeBindingMode: "WaitForFirstConsumer",
};
const nfs: V1StorageClass = {
    metadata: { name: "nfs" },
    provisioner: "nfs.csi.k8s.io",
    reclaimPolicy: "Retain",
    mountOptions: ["nfsvers=4.1"],
    parameters: { server: "10.20.0.10", share: "/export" },
};

const surroundings = (...classes: V1StorageClass[]): Surroundings => ({
    classes: classes.length > 0 ? classes : [local, nfs],
    drivers: [{ metadata: { name: "nfs.csi.k8s.io" }, spec: {} }],
    pods: [{ metadata: { labels: { app: "csi-nfs-controller" } }, status: { phase: "Running" } }],
    nodes: [{ metadata: { name: "agent-1", labels: { "kubernetes.io/hostname": "agent-1" } } }],
});

const claim = (
    storageClass: V1StorageClass,
    spec: V1PersistentVolumeClaim["spec"] = {},
    annotations: Record<string, string> = {},
): V1PersistentVolumeClaim => ({
    metadata: {
        name: "data",
        namespace: "web",
        uid: "42",
        annotations: { "volume.kubernetes.io/storage-provisioner": storageClass.provisioner, ...annotations },
    },
    spec: {
        storageClassName: storageClass.metadata?.name,
        accessModes: ["ReadWriteOnce"],
        resources: { requests: { storage: "1Gi" } },
        ...spec,
    },
});

const selected = { "volume.kubernetes.io/selected-node": "agent-1" };

test("a claim of local-path becomes a directory of the node that its pod was scheduled to", () => {
    expect(provision(claim(local, {}, selected), surroundings())).toMatchObject({
        metadata: { name: "pvc-42", annotations: { "pv.kubernetes.io/provisioned-by": "rancher.io/local-path" } },
        spec: {
            hostPath: { path: "/var/lib/rancher/k3s/storage/pvc-42_web_data" },
            capacity: { storage: "1Gi" },
            persistentVolumeReclaimPolicy: "Delete",
            claimRef: { name: "data", namespace: "web", uid: "42" },
            nodeAffinity: {
                required: { nodeSelectorTerms: [{ matchExpressions: [{ operator: "In", values: ["agent-1"] }] }] },
            },
        },
    });
});

test.each([
    ["a directory of its own", {}, "pvc-42", "10.20.0.10#export#pvc-42##"],
    [
        "the one that the class names",
        { subDir: "media", onDelete: "retain" },
        "media",
        "10.20.0.10#export#media#pvc-42#retain",
    ],
    [
        "one named after it",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the driver's own placeholders
        { subDir: "${pvc.metadata.namespace}/${pvc.metadata.name}" },
        "web/data",
        "10.20.0.10#export#web/data#pvc-42#",
    ],
])("a claim of NFS gets %s", (_, parameters, directory, handle) => {
    const media = { ...nfs, parameters: { ...nfs.parameters, ...parameters } };
    const volume = provision(claim(media, { accessModes: ["ReadWriteMany"] }), surroundings(media));
    expect(volume?.spec).toMatchObject({
        csi: {
            driver: "nfs.csi.k8s.io",
            volumeAttributes: { server: "10.20.0.10", share: "/export", subdir: directory },
        },
        mountOptions: ["nfsvers=4.1"],
        persistentVolumeReclaimPolicy: "Retain",
        accessModes: ["ReadWriteMany"],
    });
    expect(volume?.spec?.csi?.volumeHandle).toBe(handle);
});

test.each<[string, V1PersistentVolumeClaim, Surroundings]>([
    ["waits for its first pod", claim(local), surroundings()],
    ["is bound", claim(nfs, { volumeName: "pv" }), surroundings()],
    ["names a class that is not there", claim(nfs, { storageClassName: "nsf" }), surroundings()],
    ["waits while the driver is not registered", claim(nfs), { ...surroundings(), drivers: [] }],
    ["waits while the driver's controller does not run", claim(nfs), { ...surroundings(), pods: [] }],
    ["is another provisioner's", claim({ ...nfs, provisioner: "csi.example.com" }), surroundings()],
])("a claim gets no volume when it %s", (_, pending, given) => {
    expect(provision(pending, given)).toBeUndefined();
});

test.each<[string, V1PersistentVolumeClaim, Surroundings, string]>([
    [
        "local-path for many nodes",
        claim(local, { accessModes: ["ReadWriteMany"] }, selected),
        surroundings(),
        "NodePath only supports ReadWriteOnce",
    ],
    [
        "local-path on a node that no longer exists",
        claim(local, {}, { "volume.kubernetes.io/selected-node": "x" }),
        surroundings(),
        "no node was specified",
    ],
    [
        "NFS without a server",
        claim(nfs),
        surroundings({ ...nfs, parameters: { share: "/x" } }),
        "server is a required parameter",
    ],
    [
        "NFS with a misspelt parameter",
        claim(nfs),
        surroundings({ ...nfs, parameters: { sever: "x" } }),
        'invalid parameter "sever"',
    ],
])("%s is rejected", (_, pending, given, message) => {
    expect(() => provision(pending, given)).toThrow(message);
});

test.each([
    ["Released", "Delete", "nfs.csi.k8s.io", true],
    ["Released", "Retain", "nfs.csi.k8s.io", false],
    ["Bound", "Delete", "nfs.csi.k8s.io", false],
    ["Released", "Delete", "csi.example.com", false],
])("a volume that is %s, with policy %s, of %s, is deleted: %p", (phase, policy, provisioner, expected) => {
    const volume: V1PersistentVolume = {
        metadata: { annotations: { "pv.kubernetes.io/provisioned-by": provisioner } },
        spec: { persistentVolumeReclaimPolicy: policy },
        status: { phase },
    };
    expect(isDisposable(volume, surroundings())).toBe(expected);
});

test.each([
    ["nfs.csi.k8s.io", "2Gi", "1Gi", "2Gi"],
    ["nfs.csi.k8s.io", "1Gi", "1024Mi", undefined],
    ["rancher.io/local-path", "2Gi", "1Gi", undefined],
])("a claim on %s that requests %s and has %s grows to %p", (provisioner, storage, has, expected) => {
    const volume = { metadata: { annotations: { "pv.kubernetes.io/provisioned-by": provisioner } } };
    const bound = {
        spec: { resources: { requests: { storage } } },
        status: { phase: "Bound", capacity: { storage: has } },
    };
    expect(wantedExpansion(bound, volume, surroundings())).toBe(expected);
});

test.each([
    ["10Gi", 10 * 1024 ** 3],
    ["1.5Ti", 1.5 * 1024 ** 4],
    ["500M", 500e6],
    ["1e3", 1000],
    ["100m", 0.1],
    ["5", 5],
])("%s is a quantity", (text, value) => {
    expect(parseQuantity(text)).toBeCloseTo(value);
});

test.each(["", "Gi", "10GB", "ten"])("%p is not a quantity", (text) => {
    expect(() => parseQuantity(text)).toThrow("is not a quantity");
});
