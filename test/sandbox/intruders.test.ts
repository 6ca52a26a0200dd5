import { Gitea } from "../../components/gitea/api";
import { type GiteaAccess, Home, until } from "./home";
import { sendPushMessage } from "./push-message";

/** Milliseconds; a fresh cluster takes minutes on two cores. */
const limit = 15 * 60_000;

let home: Home;
let gitea: GiteaAccess;

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "gitops", "qbittorrent", "glance");
    const access = await home.useOwnGitea();
    // A folder of the home's repository that no Application uses. A StorageClass determines the location of every
    // volume.
    home.write(
        "intruder/storage-class.yaml",
        "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: { name: intruder }\nprovisioner: example.com/none\n",
    );
    await home.commit("a small home with a Gitea of its own");
    const { code, output } = await home.start();
    expect(code === 0 ? "" : output).toBe("");
    const password = await home.secret("gitops-secrets", "gitea-admin-password", "gitops");
    gitea = { ...access, account: { name: "hearth", password } };
}, limit);

afterAll(async () => home.remove(), limit);

interface Source {
    readonly repoURL: string;
    readonly targetRevision: string;
    readonly path: string;
}

/** Arguments of `kubectl get` for an Application. */
const application = (name: string) => ["applications.argoproj.io", name, "--namespace=argocd"];

/** Attempts of an attacker who may write Applications in tier 3, with Argo CD's answers. */
const attempts: readonly {
    readonly name: string;
    readonly namespace: string;
    readonly repository?: string;
    readonly refusal: RegExp;
}[] = [
    {
        name: "elsewhere",
        namespace: "database",
        refusal: /do not match any of the allowed destinations in project 'tier-3'/,
    },
    {
        name: "foreign",
        namespace: "intruder",
        repository: "https://example.com/other.git",
        refusal: /repo https:\/\/example\.com\/other\.git is not permitted in project 'tier-3'/,
    },
    { name: "cluster-wide", namespace: "intruder", refusal: /StorageClass is not permitted in project tier-3/ },
];

test.each(attempts)(
    "Argo CD denies tier 3 $name",
    async ({ name, namespace, repository, refusal }) => {
        const ours = (await home.get<{ spec: { sources: Source[] } }>(...application("qbittorrent"))).spec.sources[0];
        const spec = {
            project: "tier-3",
            destination: { server: "https://kubernetes.default.svc", namespace },
            source: { repoURL: repository ?? ours?.repoURL, targetRevision: "main", path: "intruder" },
            syncPolicy: { automated: {} },
        };
        const manifest = { apiVersion: "argoproj.io/v1alpha1", kind: "Application", metadata: { name }, spec };
        home.write(".sandbox/intruder.json", JSON.stringify(manifest));
        const file = `${home.root}/.sandbox/intruder.json`;
        expect(await home.kubectl("apply", "--namespace=argocd", "--filename", file)).toHaveEndedWith(0);

        await until("Argo CD reports the reason", 180_000, async () => {
            const { status = {} } = await home.get<{ status?: object }>(...application(name));
            return refusal.test(JSON.stringify(status));
        });
        expect((await home.kubectl("get", "storageclass", "intruder")).output).toMatch(/NotFound/);
        await home.kubectl("delete", ...application(name));
    },
    limit,
);

test("users cannot sign up in Gitea", async () => {
    const form = new URLSearchParams({
        ...{ user_name: "intruder", email: "intruder@example.com" },
        ...{ password: "a-long-password-1", retype: "a-long-password-1" },
    });
    const { status } = await fetch(`${gitea.server}/user/sign_up`, { method: "POST", body: form, redirect: "manual" });
    expect(status).toBe(403);
    expect(await new Gitea(gitea.server, gitea.account).find("/users/intruder")).toBeUndefined();
});

test("a push notification larger than 1 MB is rejected, even with a valid signature", async () => {
    const key = await home.secret("git-webhook", "secret");
    const send = (message: string) => sendPushMessage(gitea, key, [{ message }]);
    expect((await send("small")).status).toBe(200);
    expect((await send("x".repeat(2_000_000))).status).toBeGreaterThanOrEqual(400);
});
