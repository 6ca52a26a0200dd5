import { join, resolve } from "node:path";
import { readApplications } from "../../../components/applications";
import { GitSource } from "../../../components/git-source";
import { Gitea, type GiteaAccess } from "../../../components/gitea";
import { readSecretDeclarations } from "../../../components/secret-declarations";
import { Secrets } from "../../../components/secrets";
import { parseSettings } from "../../../config/settings";
import { mockEngine, type Registered, settled } from "./mocks";

/** Nothing listens there, so the first run of a new home is tested. */
const url = "http://127.0.0.1:1/home/hearth.git";

async function register(gitea?: GiteaAccess): Promise<Registered[]> {
    const registered = await mockEngine();
    new GitSource("git-source", { url, branch: "main", cluster: "home", ...(gitea && { gitea }) });
    await settled();
    return registered;
}

const repositorySecret = (registered: Registered[]) =>
    registered.find(({ type, name }) => type === "kubernetes:core/v1:Secret" && name === "git-source");

/** The keys of its data, which is marked as secret in requests to the engine. */
const keys = (secret?: Registered) => Object.keys(Object(secret?.inputs["data"]).value).sort();

test("an external Git server gets only a reader without an account", async () => {
    const registered = await register();
    expect(keys(repositorySecret(registered))).toEqual(["type", "url"]);
    expect(registered.filter(({ type }) => type === "command:local:Command")).toEqual([]);
});

test("Gitea's declaration is passed on standard input, as a secret, before Argo CD reads from it", async () => {
    const registered = await register({
        administrator: { name: "hearth", password: "hunter2" },
        webhook: "http://argocd/api",
    });
    const command = registered.find(({ type }) => type === "command:local:Command");
    const { stdin, ...visible } = command?.inputs ?? {};
    expect(JSON.stringify(visible)).not.toContain("hunter2");
    expect(stdin).toMatchObject({ value: expect.stringContaining("hunter2") });
    expect(JSON.parse(Object(stdin).value)).toMatchObject({
        server: "http://127.0.0.1:1",
        repository: { owner: "home", name: "hearth", branch: "main" },
        administrator: { name: "hearth" },
        reader: { name: "argocd" },
        contains: "clusters/home/kustomization.yaml",
    });
    const secret = repositorySecret(registered);
    expect(secret?.dependencies).toContain(command?.urn);
    expect(keys(secret)).toEqual(["password", "type", "url", "username"]);
});

describe("a home without a Git server", () => {
    const root = resolve(__dirname, "../../..");
    const applications = readApplications(root, "home");
    const settings = parseSettings({
        stack: "home",
        values: {
            domain: "home.example.com",
            // A missing file, so that nothing is contacted.
            kubeconfig: join(root, "no-such-kubeconfig"),
            loadBalancer: '{"addresses":["192.168.1.240/28"]}',
            nfs: '{"server":"nas","path":"/export"}',
        },
        secretKeys: new Set(),
    });

    async function registerHome(without: readonly string[] = []): Promise<Registered[]> {
        const registered = await mockEngine();
        const declarations = readSecretDeclarations(root, ["gitops"]);
        const secrets = new Secrets("secrets", { declarations, given: {}, rotations: {}, namespaces: {} });
        const { repository, cluster } = settings;
        const gitea = new Gitea("gitea", {
            ...{ settings, secrets, kubeconfig: settings.kubeconfig ?? "" },
            applications: applications.filter(({ name }) => !without.includes(name)),
        });
        new GitSource(
            "git-source",
            { url: repository.url, branch: repository.revision, cluster, gitea: gitea.access },
            { dependsOn: gitea },
        );
        await settled();
        return registered;
    }

    test("has Gitea before its repository is declared: the chart of the Application gitops, with the same name and values", async () => {
        const registered = await registerHome();
        const release = registered.find(({ type }) => type === "kubernetes:helm.sh/v3:Release");
        const gitops = applications.find(({ name }) => name === "gitops");
        expect(release?.inputs).toMatchObject({
            name: "gitops",
            namespace: gitops?.namespace,
            values: { global: { domain: "home.example.com" } },
        });
        const command = registered.find(
            ({ type, name }) => type === "command:local:Command" && name === "git-source-gitea",
        );
        expect(registered.flatMap((each) => (each === release || each === command ? each : []))).toEqual([
            release,
            command,
        ]);
        expect(JSON.parse(Object(command?.inputs["stdin"]).value)).toMatchObject({
            server: "http://git.home.example.com",
            administrator: { name: "hearth", password: "generated-gitops-gitea-admin-password" },
            kubeconfig: settings.kubeconfig,
        });
    });

    test("lets Argo CD read from Gitea's Service, without any name of the home", async () => {
        expect(keys(repositorySecret(await registerHome()))).toEqual(["password", "proxy", "type", "url", "username"]);
    });

    test("without the gitops Application, needs either that or a URL", async () => {
        await expect(registerHome(["gitops"])).rejects.toThrow(
            /set hearth:repository.url: this cluster has no Application gitops in clusters\/home\/apps/,
        );
        await settled();
    });
});
