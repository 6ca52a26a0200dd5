import { K3s } from "../../components/k3s";
import { ControlPlane } from "../../hack/placement/control-plane";
import { ofKind } from "../charts/manifest";
import { Workspace } from "../charts/workspace";
import { byType, mockEngine, settled } from "../unit/components/mocks";

const storageClasses = "/apis/storage.k8s.io/v1/storageclasses";
const claims = "/api/v1/namespaces/vaultwarden/persistentvolumeclaims";

/** The claim of Vaultwarden's data on a node's disk, rendered by the chart with a size. */
async function claimOf(size: string) {
    const workspace = new Workspace("helm4");
    try {
        const objects = await workspace.render(
            "vaultwarden",
            ...["--set", `workloads.vaultwarden.volumes.data.claim.size=${size}`],
        );
        const [claim] = ofKind(objects, "PersistentVolumeClaim");
        return { name: claim?.metadata.name ?? "", claim: claim ?? {}, resources: claim?.spec?.resources };
    } finally {
        workspace.remove();
    }
}

/** The StorageClass local-path, as the program declares it. */
async function localPath(): Promise<object> {
    const registered = await mockEngine();
    new K3s("k3s", { traefikValues: "" });
    await settled();
    return byType(registered, "kubernetes:storage.k8s.io/v1:StorageClass")["k3s-local-path"] ?? {};
}

test("a commit may raise the size of a claim on a node's disk, which the API server rejects for k3s' own StorageClass", async () => {
    const [before, after, storageClass] = [await claimOf("5Gi"), await claimOf("8Gi"), await localPath()];

    await ControlPlane.with(async (plane) => {
        await plane.call("POST", storageClasses, storageClass);
        await plane.call("POST", claims, before.claim);
        const one = `${claims}/${before.name}`;
        await plane.call("PATCH", one, { spec: { volumeName: "pvc-1" } });
        const capacity = { storage: "5Gi" };
        await plane.call("PATCH", `${one}/status`, { status: { phase: "Bound", capacity } });
        const raised = () => plane.call("PATCH", one, { spec: { resources: after.resources } });

        await plane.call("PATCH", `${storageClasses}/local-path`, { allowVolumeExpansion: false });
        await expect(raised()).rejects.toThrow(/storageclass that provisions the pvc must support resize/);

        await plane.call("PATCH", `${storageClasses}/local-path`, {
            allowVolumeExpansion: Object(storageClass).allowVolumeExpansion,
        });
        await expect(raised()).resolves.toMatchObject({ spec: { resources: { requests: { storage: "8Gi" } } } });
    });
});
