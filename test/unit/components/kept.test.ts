import { CertManager } from "../../../components/cert-manager";
import { Namespaces } from "../../../components/namespaces";
import { mockEngine, settled } from "./mocks";

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
    new CertManager("cert-manager", { namespace: "cert-manager", kubeconfig: "/dev/null" });
    await settled();

    const release = registered.find(({ type }) => type === "kubernetes:helm.sh/v3:Release");
    expect(release?.inputs).toMatchObject({ values: { crds: { enabled: true, keep: true } } });
});

test("no resource of the program is protected: `pulumi destroy` works without a change of the program", async () => {
    const registered = await mockEngine();
    new Namespaces("namespaces", { system: {}, services: { jellyfin: "restricted" } });
    new CertManager("cert-manager", { namespace: "cert-manager", kubeconfig: "/dev/null" });
    await settled();

    expect(registered.filter(({ protect }) => protect)).toEqual([]);
});
