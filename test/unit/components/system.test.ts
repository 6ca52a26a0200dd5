import { readApplications } from "../../../components/applications";
import { System } from "../../../components/system";
import { parseSettings } from "../../../config/settings";
import { byType, mockEngine, type Registered, settled } from "./mocks";

const settings = (charts = "{}", nfs: object = { nfs: '{"server":"nas","path":"/export"}' }) =>
    parseSettings({
        stack: "test",
        values: {
            domain: "home.arpa",
            kubeconfig: "/dev/null",
            repository: '{"url":"https://git.home.arpa/home.git"}',
            charts,
            loadBalancer: '{"addresses":["10.0.0.1-10.0.0.9"]}',
            ...nfs,
        },
        secretKeys: new Set(),
    });

const release = "kubernetes:helm.sh/v3:Release";

async function system(charts?: string, nfs?: object): Promise<Registered[]> {
    const registered = await mockEngine();
    new System("system", {
        settings: settings(charts, nfs),
        kubeconfig: "/dev/null",
        applications: readApplications(".", "home"),
    });
    await settled();
    return registered;
}

test("each namespace enforces its Pod Security level", async () => {
    const namespaces = byType(await system(), "kubernetes:core/v1:Namespace");
    const level = (name: string) => (namespaces[name]?.["metadata"] as { labels: object })?.labels;
    expect(level("jellyfin")).toEqual({ "pod-security.kubernetes.io/enforce": "restricted" });
    expect(level("qbittorrent")).toEqual({ "pod-security.kubernetes.io/enforce": "privileged" });
    expect(level("metallb-system")).toEqual({ "pod-security.kubernetes.io/enforce": "privileged" });
    expect(level("cert-manager")).toEqual({ "pod-security.kubernetes.io/enforce": "restricted" });
    expect(level("argocd")).toEqual({ "pod-security.kubernetes.io/enforce": "restricted" });
});

test("five releases, each pinned and from its own upstream repository", async () => {
    const releases = byType(await system(), release);
    expect(Object.keys(releases).sort()).toEqual(["argocd", "cert-manager", "descheduler", "metallb", "nfs-csi"]);
    for (const inputs of Object.values(releases)) {
        expect(inputs["version"]).toMatch(/^v?\d+\.\d+\.\d+$/);
        expect(inputs["repositoryOpts"]).toEqual({ repo: expect.stringMatching(/^https:/) });
    }
});

test("Pulumi generates the password of Argo CD's Redis, and the chart creates none", async () => {
    const registered = await system();
    expect(byType(registered, "kubernetes:core/v1:Secret")["argocd-redis"]).toMatchObject({
        metadata: { name: "argocd-redis", namespace: "argocd" },
    });
    const argocd = registered.find(({ type, name }) => type === release && name === "argocd");
    const secret = registered.find(({ type, name }) => type === "kubernetes:core/v1:Secret" && name === "argocd-redis");
    expect(argocd?.inputs["values"]).toMatchObject({ redisSecretInit: { enabled: false } });
    expect(argocd?.dependencies).toContain(secret?.urn);
});

test("a mirror replaces every upstream repository, and Argo CD may use it", async () => {
    const registered = await system('{"repository":"http://127.0.0.1:1"}');
    for (const inputs of Object.values(byType(registered, release))) {
        expect(inputs["repositoryOpts"]).toEqual({ repo: "http://127.0.0.1:1" });
    }
    const project = byType(registered, "kubernetes:argoproj.io/v1alpha1:AppProject")["projects-tier-2"];
    expect(project?.["spec"]).toMatchObject({ sourceRepos: ["https://git.home.arpa/home.git", "http://127.0.0.1:1"] });
});

test("MetalLB assigns the stack's addresses, and announces the same pool", async () => {
    const registered = await system();
    expect(byType(registered, "kubernetes:metallb.io/v1beta1:IPAddressPool")["metallb-pool"]).toMatchObject({
        metadata: { name: "home", namespace: "metallb-system" },
        spec: { addresses: ["10.0.0.1-10.0.0.9"] },
    });
    expect(byType(registered, "kubernetes:metallb.io/v1beta1:L2Advertisement")["metallb-advertisement"]).toMatchObject({
        spec: { ipAddressPools: ["home"] },
    });
});

test("the StorageClasses use the stack's server and keep data; media is one directory for all", async () => {
    const { nfs, media } = byType(await system(), "kubernetes:storage.k8s.io/v1:StorageClass");
    expect(nfs).toMatchObject({ parameters: { server: "nas", share: "/export" }, reclaimPolicy: "Retain" });
    expect(media).toMatchObject({
        parameters: { server: "nas", share: "/export", subDir: "media", onDelete: "retain" },
        reclaimPolicy: "Retain",
    });
});

test("a home without an export gets neither the driver nor its StorageClasses", async () => {
    const registered = await system(undefined, {});
    expect(Object.keys(byType(registered, release)).sort()).toEqual([
        ...["argocd", "cert-manager", "descheduler", "metallb"],
    ]);
    expect(byType(registered, "kubernetes:storage.k8s.io/v1:StorageClass")).not.toHaveProperty("nfs");
});
