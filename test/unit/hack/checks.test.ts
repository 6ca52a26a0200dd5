import { checkClocks, checkExport, unpinnedImages } from "../../../hack/checks";

const now = Date.parse("2026-11-25T12:00:00Z");

/** The lease of a node that renewed it so many seconds ago by its own clock. */
const lease = (name: string, seconds: number) => ({
    metadata: { name },
    spec: { renewTime: new Date(now - seconds * 1_000).toISOString() },
});

const node = (name: string, status: "True" | "Unknown") => ({
    metadata: { name },
    status: { conditions: [{ type: "Ready", status }] },
});

test("clocks within the precision of leases are accepted", () => {
    expect(checkClocks([lease("attic", 9), lease("cellar", -3)], [node("attic", "True")], now)).toBe("2 compared");
});

test.each([
    ["ahead", lease("attic", -90), "attic is 90 s ahead"],
    ["behind", lease("attic", 600), "attic is about 600 s behind"],
])("a node whose clock is %s is named", (_, given, message) => {
    expect(() => checkClocks([given], [node("attic", "True")], now)).toThrow(message);
});

test("the clock of a deleted node is ignored", () => {
    expect(checkClocks([lease("attic", 600)], [node("attic", "Unknown")], now)).toBe("1 compared");
});

const warning = (reason: string, message: string) => ({
    involvedObject: { kind: "Pod", name: "immich-1", namespace: "immich" },
    reason,
    message,
});

test.each([
    [
        "a claim's directory that cannot be created",
        "ProvisioningFailed",
        'failed to provision volume with StorageClass "nfs": failed to make subdirectory: mkdir /tmp/pvc-1: permission denied',
    ],
    [
        "a volume whose group cannot be changed",
        "FailedMount",
        'MountVolume.SetUp failed for volume "pvc-1" : applyFSGroup failed for vol nas#export#pvc-1##: lchown ' +
            "/var/lib/kubelet/pods/1/volumes: operation not permitted",
    ],
])("an NFS server that maps root to nobody is detected by %s", (_, reason, message) => {
    expect(() => checkExport([warning(reason, message)])).toThrow("root may not write to the export: immich/immich-1");
});

test("a mount that fails for another reason is not attributed to root squash", () => {
    expect(checkExport([warning("FailedMount", "mount.nfs: Connection timed out")])).toBe("no claim was rejected");
});

test("images that are pinned by tag alone are listed, each once", () => {
    const pinned = `quay.io/a:1@sha256:${"0".repeat(64)}`;
    const pods = [["docker.io/b:2", pinned], ["docker.io/b:2"]].map((images) => ({
        spec: { containers: images.map((image) => ({ image })) },
    }));

    expect(unpinnedImages(pods)).toEqual({ all: 2, unpinned: ["docker.io/b:2"] });
});
