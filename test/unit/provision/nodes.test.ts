import { nodesSchema } from "../../../config/nodes";
import { Nodes } from "../../../provision/nodes";
import { mockEngine, type Registered, settled } from "../components/mocks";

const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nthe-private-key\n";

const machine = (name: string, role: "server" | "agent", last: number) => ({
    name,
    role,
    address: `10.0.0.${last}`,
    user: "admin",
    hostKey: "ssh-ed25519 AAAA",
});

const three = [machine("a", "server", 1), machine("b", "server", 2), machine("c", "server", 3)];
const mixed = [machine("w1", "agent", 4), machine("a", "server", 1), machine("w2", "agent", 5)];

async function register(nodes: object[], api?: string): Promise<Registered[]> {
    const registered = await mockEngine();
    new Nodes("nodes", {
        nodes: nodesSchema.parse(nodes),
        privateKey,
        ...(api === undefined ? {} : { api }),
        source: "/srv/k3s",
        nfsRanges: [],
    });
    await settled();
    return registered;
}

/** The names of everything that a resource waits for, near and far. */
function waitsFor(registered: readonly Registered[], name: string): string[] {
    const byUrn = new Map(registered.map((each) => [each.urn, each]));
    const seen = new Set<string>();
    const visit = (urn: string) => {
        for (const dependency of byUrn.get(urn)?.dependencies ?? []) {
            if (!seen.has(dependency)) {
                seen.add(dependency);
                visit(dependency);
            }
        }
    };
    visit(registered.find((each) => each.name === name)?.urn ?? "");
    return [...seen].map((urn) => byUrn.get(urn)?.name ?? urn);
}

const scripts = (registered: readonly Registered[]) =>
    registered.filter(({ type }) => type === "command:remote:Command");

test("no node is touched before all of them were looked at", async () => {
    const registered = await register(mixed);
    expect(scripts(registered)).not.toHaveLength(0);
    for (const { name } of scripts(registered)) {
        expect(waitsFor(registered, name)).toContain("preflight");
    }
});

test("the nodes are prepared side by side, and k3s starts when every one of them is", async () => {
    const registered = await register(mixed);
    const first = waitsFor(registered, "a-k3s-join");
    for (const name of ["w1", "a", "w2"]) {
        expect(waitsFor(registered, `${name}-k3s-binary`).filter((each) => !each.startsWith(`${name}-`))).toEqual([
            "preflight",
            "cluster",
        ]);
        expect(first).toContain(`${name}-k3s-binary`);
    }
});

test("agents join side by side after the first server", async () => {
    const registered = await register(mixed);
    expect(waitsFor(registered, "w1-k3s-join")).toContain("a-k3s-join");
    expect(waitsFor(registered, "w2-k3s-join")).toContain("a-k3s-join");
    expect(waitsFor(registered, "w2-k3s-join")).not.toContain("w1-k3s-join");
});

test("servers join one by one", async () => {
    const registered = await register(three, "10.0.0.9");
    expect(waitsFor(registered, "c-k3s-join")).toEqual(expect.arrayContaining(["a-k3s-join", "b-k3s-join"]));
});

test("what differs from the config is brought in one node at a time, servers first", async () => {
    const registered = await register(mixed);
    expect(waitsFor(registered, "a-k3s-converge")).toEqual(expect.arrayContaining(["w1-k3s-join", "w2-k3s-join"]));
    expect(waitsFor(registered, "w1-k3s-converge")).toContain("a-k3s-converge");
    expect(waitsFor(registered, "w2-k3s-converge")).toContain("w1-k3s-converge");
});

test("a node is a member when the API says so, on the first server", async () => {
    const registered = await register(mixed);
    const member = registered.find(({ name }) => name === "w1-member");
    expect(waitsFor(registered, "w1-member")).toContain("w1-k3s-converge");
    expect(JSON.stringify(member?.inputs["connection"])).toContain("10.0.0.1");
});

test("a node is drained and deleted before k3s is taken off it", async () => {
    const registered = await register(mixed);
    const deletes = scripts(registered).filter(({ inputs }) => inputs["delete"] !== undefined);
    expect(deletes.map(({ name }) => name).sort()).toEqual(
        ["a", "w1", "w2"].flatMap((name) => [`${name}-k3s-join`, `${name}-member`]),
    );
});

test("the key, the tokens and the kubeconfig are secrets wherever they go", async () => {
    const registered = await register(three, "10.0.0.9");
    /** The value without what the wire marks as a secret. */
    const plain = (value: unknown): unknown => {
        if (Array.isArray(value)) {
            return value.map(plain);
        }
        if (typeof value !== "object" || value === null) {
            return value;
        }
        return "4dabf18193072939515e22adb298388d" in value
            ? "secret"
            : Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
    };
    const shown = JSON.stringify(registered.map(({ inputs }) => plain(inputs)));
    // Booleans, since a failure would print all that every node is told.
    for (const secret of ["the-private-key", "generated-server-token", "generated-agent-token", "generated-a-cred"]) {
        expect([secret, shown.includes(secret)]).toEqual([secret, false]);
    }
    const all = JSON.stringify(registered.map(({ inputs }) => inputs));
    expect(all.includes("generated-server-token")).toBe(true);
});

test("a connection checks the node's host key", async () => {
    for (const { inputs } of scripts(await register(mixed))) {
        expect(JSON.stringify(inputs["connection"])).toContain("ssh-ed25519 AAAA");
    }
});
