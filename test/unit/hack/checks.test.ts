import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkClocks, checkExport, unpinnedImages } from "../../../hack/checks";
import { exportPod, judgeExport, tryExport } from "../../../hack/export-check";
import type { Kubectl } from "../../../hack/kubectl";

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

describe("an export that a pod tries before anything is deployed", () => {
    const ended = (phase: string, message?: string) => ({
        status: { phase, containerStatuses: [{ state: { terminated: { ...(message && { message }) } } }] },
    });
    const events = (message: string) => [warning("FailedMount", message)];

    test("passes when root may write to it", () => {
        expect(judgeExport(ended("Succeeded"), [])).toMatch(/root may create directories/);
        expect(
            judgeExport({ status: { phase: "Pending" } }, events("mount.nfs: Connection timed out")),
        ).toBeUndefined();
    });

    test.each([
        [
            "root_squash",
            ended("Failed", "mktemp: : Permission denied"),
            [],
            /^root may not write to the export: mktemp/,
        ],
        [
            "all_squash",
            ended("Failed", "chown: /export/.x: Operation not permitted"),
            [],
            /^root may not write .*chown/,
        ],
        [
            "an export for other hosts",
            ended("Failed"),
            events("mount.nfs: access denied\n by server"),
            /^the export was not tried: mount\.nfs: access denied by server$/,
        ],
        ["no image", { status: { phase: "Failed" } }, [], /its pod did not start in time/],
    ])("is reported with its reason: %s", (_, state, warnings, message) => {
        expect(() => judgeExport(state, warnings)).toThrow(message);
    });

    test.each(["Succeeded", "Failed"])("stays unchanged, and so does the cluster, when the pod %s", async (phase) => {
        const commands: string[] = [];
        const kubectl = {
            run: async ([command = ""]: readonly string[]) => {
                commands.push(command);
                return command === "get" ? JSON.stringify(ended(phase, "x")) : "";
            },
            list: async () => [],
        } as unknown as Kubectl;
        await tryExport(kubectl, { server: "nas", path: "/export" }).catch(() => undefined);
        expect(commands).toEqual(["create", "get", "delete"]);
        const { spec } = exportPod("a", { server: "nas", path: "/export" });
        expect(spec.volumes).toEqual([{ name: "export", nfs: { server: "nas", path: "/export" } }]);
        expect(spec.containers[0]?.image).toMatch(/^docker\.io\/library\/busybox:[\d.]+/);
    });

    test("by a script that changes the owner of a directory, and deletes it", () => {
        const folder = mkdtempSync(join(tmpdir(), "hearth-export-"));
        const [, , script = ""] = exportPod("a", { server: "nas", path: "/export" }).spec.containers[0]?.command ?? [];
        const here = script.replaceAll("/export/", `${folder}/`);
        const asRoot = spawnSync("sh", ["-c", here]);
        expect(asRoot.status === 0).toBe(process.getuid?.() === 0);
        // The error of a server that maps root to nobody.
        const refused = spawnSync("sh", ["-c", `chown() { echo not permitted >&2; return 1; }; ${here}`], {
            encoding: "utf8",
        });
        expect(refused).toMatchObject({ status: 1, stderr: "not permitted\n" });
        expect(readdirSync(folder)).toEqual([]);
        rmSync(folder, { recursive: true });
    });
});

test("images that are pinned only by tag are listed, each once", () => {
    const pinned = `quay.io/a:1@sha256:${"0".repeat(64)}`;
    const pods = [["docker.io/b:2", pinned], ["docker.io/b:2"]].map((images) => ({
        spec: { containers: images.map((image) => ({ image })) },
    }));

    expect(unpinnedImages(pods)).toEqual({ all: 2, unpinned: ["docker.io/b:2"] });
});
