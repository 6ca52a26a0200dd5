import { Home } from "./home";

/** Minutes, in milliseconds. */
const limit = 10 * 60_000;

let home: Home;

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "qbittorrent");
    await home.commit("two services");
    await home.startCluster();
}, limit);

afterAll(async () => home.remove(), limit);

// Pulumi's plugin knows the definitions that a Helm release will install from release 4.32 on; the built one, for
// machines that cannot download it, is older.
test(
    "a preview succeeds on a cluster without the definitions of MetalLB, cert-manager and Argo CD",
    async () => {
        const { code, output } = await home.pulumi("preview");
        expect({ code, output }).toHaveEndedWith(0);
        expect(output).toMatch(/metallb\.io\S*IPAddressPool .*create/);
    },
    limit,
);

// From release 4.29 on the plugin refuses to create what exists, unless the program sets `upsertExistingObjects`; older
// releases do not have the setting, and adopt.
test(
    "`npm start` adopts an existing object, with the program's values",
    async () => {
        await home.kubectl("create", "namespace", "argocd");
        await home.kubectl("create", "secret", "generic", "git-webhook", "-n=argocd", "--from-literal=secret=by-hand");
        const { uid } = (await home.get<{ metadata: { uid: string } }>("secret", "git-webhook", "-n=argocd")).metadata;

        const { code, output } = await home.start();
        expect({ code, output }).toHaveEndedWith(0);
        const { metadata } = await home.get<{ metadata: { uid: string } }>("secret", "git-webhook", "-n=argocd");
        expect(metadata.uid).toBe(uid);
        expect(await home.secret("git-webhook", "secret")).toMatch(/^[A-Za-z0-9]{40}$/);
    },
    limit,
);
