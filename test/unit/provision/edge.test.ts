import { edgeSchema } from "../../../config/edge";
import { k3sSchema, nodesSchema, type RegistrySettings } from "../../../config/nodes";
import { Edge, withoutLogins } from "../../../provision/edge";
import { Nodes } from "../../../provision/nodes";
import { formatPlan, type PlannedNode, planEdge } from "../../../provision/plan";
import { mockEngine, type Registered, settled } from "../components/mocks";
import { publicKey } from "../keys";

const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nthe-private-key\n";

/** Another host key, as an installer makes it. */
const reinstalled = publicKey.replace("Dk0Vf8", "Dk0Vf9");

const node = (name: string, role: "server" | "agent"): PlannedNode => ({ name, role, disks: [], offline: false });

test("a plan of an edge and two nodes, as a reader sees it", () => {
    const [a, b] = [node("a", "server"), node("b", "agent")];
    expect(formatPlan(planEdge(node("edge", "agent"), [a, b], a))).toBe(`edge-k3s-binary
edge-baseline <- edge-k3s-binary
edge-access <- edge-baseline
edge-access-confirmed <- edge-access
edge-tunnel <- edge-access-confirmed
a-tunnel <- edge-tunnel
b-tunnel <- edge-tunnel
edge-token (on a) <- edge-baseline
edge-k3s-join <- a-tunnel, b-tunnel, edge-token
edge-k3s-converge <- edge-k3s-join
edge-member (on a) <- edge-k3s-converge`);
});

const machines = [
    { name: "a", role: "server", address: "192.168.1.10", user: "root", hostKey: publicKey },
    { name: "b", role: "agent", address: "192.168.1.11", user: "root", hostKey: publicKey },
];
const registries: RegistrySettings = {
    "docker.io": { mirrors: ["http://192.168.1.2"], rewrite: {}, username: "me", password: "of-the-registry" },
};

async function register(hostKey = publicKey): Promise<Registered[]> {
    const registered = await mockEngine();
    const nodes = nodesSchema.parse(machines);
    const edge = edgeSchema.parse({ address: "203.0.113.10", user: "root", hostKey });
    const jumpHost = { address: "192.168.1.2", port: 22, user: "root", hostKey: publicKey };
    const home = { nodes, ssh: { privateKey, jumpHost }, k3s: k3sSchema.parse({}), registries, edge };
    const { cluster } = new Nodes("nodes", home);
    new Edge("edge", { ...home, cluster });
    await settled();
    return registered;
}

const inputsOf = (registered: readonly Registered[], name: string) =>
    registered.find((each) => each.name === name)?.inputs ?? {};
const textOf = (registered: readonly Registered[], name: string) =>
    JSON.stringify(inputsOf(registered, name)["stdin"] ?? "").replaceAll("\\n", "\n");

test("the edge is reached at its public address, without the home's jump host", async () => {
    const registered = await register();

    for (const step of ["edge-baseline", "edge-tunnel", "edge-k3s-join"]) {
        const connection = JSON.stringify(inputsOf(registered, step)["connection"]);
        expect(connection).toContain('"host":"203.0.113.10"');
        expect(connection).not.toContain("192.168.1.2");
    }
    expect(JSON.stringify(inputsOf(registered, "a-tunnel")["connection"])).toContain("192.168.1.2");
});

test("the edge gets no secret except its own key and a token that is valid once", async () => {
    const registered = await register();
    const inputs = registered
        .filter(
            ({ name, type }) => type === "command:remote:Command" && /^edge-/.test(name) && !/token|member/.test(name),
        )
        .map(({ inputs }) => JSON.stringify(inputs["stdin"]));

    expect(inputs).toHaveLength(7);
    for (const text of inputs) {
        // The administrator's kubeconfig, the cluster's tokens, a login: none belongs on the edge.
        expect(text).not.toMatch(
            /generated-(server|agent)-token|generated-a-credentials|of-the-registry|kubeconfig='[^']/,
        );
    }
    expect(textOf(registered, "edge-k3s-join")).toContain("generated-edge-token");
});

test("k3s on the edge restarts for no token, since that one is valid for a day", async () => {
    const text = textOf(await register(), "edge-k3s-join");
    const [, config = ""] = /\nconfig='([^']*)'/.exec(`\n${text}`) ?? [];

    expect(config).not.toContain("token");
    expect(config).toContain("192.168.1.10:6443");
    expect(config).toContain("10.199.99.1");
});

test("private keys of the tunnel are secrets in the state, and each host gets only its own", async () => {
    const registered = await register();
    const keyIn = (name: string) => /PrivateKey = ([\w+/=]{44})/.exec(textOf(registered, name))?.[1];
    const keys = ["edge-tunnel", "a-tunnel", "b-tunnel"].map(keyIn);

    expect(new Set(keys).size).toBe(3);
    expect(keys).not.toContain(undefined);
    for (const { name, inputs } of registered.filter(({ type }) => type === "command:remote:Command")) {
        const { stdin, ...shown } = inputs;
        for (const [index, key] of keys.entries()) {
            const own = ["edge-tunnel", "a-tunnel", "b-tunnel"][index] === name;
            expect([name, JSON.stringify(stdin ?? "").includes(String(key))]).toEqual([name, own]);
        }
        expect(JSON.stringify(shown)).not.toMatch(/PrivateKey/);
    }
});

test("a host with another host key gets other keys: its predecessor may have been compromised", async () => {
    const keepers = async (hostKey: string) =>
        inputsOf(await register(hostKey), "edge-tunnel-key")["keepers"] as Record<string, string>;

    expect(await keepers(publicKey)).not.toEqual(await keepers(reinstalled));
});

test("a lost edge blocks nothing: only its steps on other hosts are undone", async () => {
    const deletes = (await register())
        .filter(({ type, inputs }) => type === "command:remote:Command" && inputs["delete"] !== undefined)
        .filter(({ inputs }) => JSON.stringify(inputs["connection"]).includes("203.0.113.10"));

    expect(deletes.map(({ name }) => name)).toEqual([]);
});

test("every node closes its end of the tunnel except for the ports that an agent needs", async () => {
    const registered = await register();

    expect(textOf(registered, "a-access")).toContain("tunnel='hearth-edge'");
    expect(textOf(registered, "edge-access")).toContain("edge='yes'");
});

test("mirrors go to the edge without their logins", () => {
    expect(withoutLogins(registries)).toEqual({ "docker.io": { mirrors: ["http://192.168.1.2"], rewrite: {} } });
});
