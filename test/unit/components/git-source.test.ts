import { GitSource } from "../../../components/git-source";
import { mockEngine, type Registered, settled } from "./mocks";

/** Nobody listens there: what is registered is what the first run of a new home registers. */
const url = "http://127.0.0.1:1/home/hearth.git";

async function register(gitea?: { administrator: string; password: string; webhook: string }): Promise<Registered[]> {
    const registered = await mockEngine();
    new GitSource("git-source", { url, branch: "main", cluster: "home", ...(gitea && { gitea }) });
    await settled();
    return registered;
}

const repositorySecret = (registered: Registered[]) =>
    registered.find(({ type, name }) => type === "kubernetes:core/v1:Secret" && name === "git-source");

/** The keys of its data, which is a secret on the wire. */
const keys = (secret?: Registered) => Object.keys(Object(secret?.inputs["data"]).value).sort();

test("a Git server of somebody else's gets nothing but a reader without an account", async () => {
    const registered = await register();
    expect(keys(repositorySecret(registered))).toEqual(["type", "url"]);
    expect(registered.filter(({ type }) => type === "command:local:Command")).toEqual([]);
});

test("a Gitea is told what to have on standard input, as a secret, before Argo CD reads from it", async () => {
    const registered = await register({ administrator: "hearth", password: "hunter2", webhook: "http://argocd/api" });
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
