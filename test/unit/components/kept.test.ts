import { CertManager } from "../../../components/cert-manager";
import { MetalLB } from "../../../components/metallb";
import { Namespaces } from "../../../components/namespaces";
import { mockEngine, settled } from "./mocks";

const args = { namespace: "cert-manager", namespaceUid: "1", kubeconfig: "/dev/null" };

test("a removed service keeps its namespace, and with it every volume; the system's namespaces are deleted", async () => {
    const registered = await mockEngine();
    new Namespaces("namespaces", { system: { "metallb-system": "privileged" }, services: { jellyfin: "restricted" } });
    await settled();

    const kept = registered.flatMap(({ name, retainOnDelete }) => (retainOnDelete ? [name] : []));
    expect(kept).toEqual(["jellyfin"]);
});

test("Argo CD owns the Pod Security level of a service's namespace once it is created", async () => {
    const registered = await mockEngine();
    new Namespaces("namespaces", { system: { "metallb-system": "privileged" }, services: { jellyfin: "restricted" } });
    await settled();

    const ignored = Object.fromEntries(registered.map(({ name, ignoreChanges }) => [name, ignoreChanges]));
    expect(ignored).toMatchObject({ jellyfin: ["metadata.labels"], "metallb-system": [] });
});

test("cert-manager's CRDs stay when its release is removed, and with them every certificate", async () => {
    const registered = await mockEngine();
    new CertManager("cert-manager", args);
    await settled();

    const release = registered.find(({ type }) => type === "kubernetes:helm.sh/v3:Release");
    expect(release?.inputs).toMatchObject({ values: { crds: { enabled: true, keep: true } } });
});

test("no resource of the program is protected: `pulumi destroy` works without a change of the program", async () => {
    const registered = await mockEngine();
    new Namespaces("namespaces", { system: {}, services: { jellyfin: "restricted" } });
    new CertManager("cert-manager", args);
    await settled();

    expect(registered.filter(({ protect }) => protect)).toEqual([]);
});

test("in a rebuilt cluster, whose namespaces have other UIDs, the waits for webhooks run again", async () => {
    const waits = async (namespaceUid: string) => {
        const registered = await mockEngine();
        new CertManager("cert-manager", { ...args, namespaceUid });
        new MetalLB("metallb", { ...args, namespaceUid, addresses: ["192.168.1.240/28"] });
        await settled();
        const found = registered.filter(({ type }) => type === "command:local:Command");
        return found.map(({ name, inputs }) => [name, JSON.stringify(inputs)] as const);
    };
    const [before, after] = [await waits("1"), new Map(await waits("2"))];
    expect(before.map(([name]) => name).sort()).toEqual(["cert-manager-webhook", "metallb-webhook"]);
    for (const [name, inputs] of before) {
        expect(after.get(name)).toBe(inputs.replace('\\"namespaceUid\\":\\"1\\"', '\\"namespaceUid\\":\\"2\\"'));
        expect(after.get(name)).not.toBe(inputs);
    }
});
