import { type ApiSettings, nodesSchema } from "../../../config/nodes";
import { Nodes } from "../../../provision/nodes";
import { mockEngine, type Registered, settled } from "../components/mocks";

const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nthe-private-key\n";

const passphrase = "a passphrase of the data disks";

const machine = (name: string, role: "server" | "agent", last: number) => ({
    name,
    role,
    address: `10.0.0.${last}`,
    user: "admin",
    hostKey: "ssh-ed25519 AAAA",
});

const three = [machine("a", "server", 1), machine("b", "server", 2), machine("c", "server", 3)];
const mixed = [machine("w1", "agent", 4), machine("a", "server", 1), machine("w2", "agent", 5)];

async function register(nodes: object[], api?: ApiSettings): Promise<Registered[]> {
    const registered = await mockEngine();
    new Nodes("nodes", {
        nodes: nodesSchema.parse(nodes),
        privateKey,
        ...(api === undefined ? {} : { api }),
        source: "/srv/k3s",
        storage: { passphrase, mount: "/export/media", allowedRanges: ["10.0.0.0/24"] },
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
        const others = waitsFor(registered, `${name}-access-confirmed`).filter((each) => !each.startsWith(`${name}-`));
        expect(others.filter((each) => /-(baseline|access)/.test(each))).toEqual([]);
        expect(first).toContain(`${name}-access-confirmed`);
    }
});

test("no node is changed before every node has the pinned k3s", async () => {
    const registered = await register(mixed);
    for (const name of ["w1", "a", "w2"]) {
        expect(waitsFor(registered, `${name}-baseline`)).toEqual(
            expect.arrayContaining(["w1-k3s-binary", "a-k3s-binary", "w2-k3s-binary"]),
        );
    }
});

test("data disks are ready before k3s starts anywhere, and can be unlocked before the node joins", async () => {
    const disks = ["A", "B", "C", "D"].map((serial) => ({ device: `/dev/disk/by-id/${serial}`, size: "4TB", serial }));
    const unlock = { address: "10.0.0.4/24", gateway: "10.0.0.254", interface: "eth0", keys: ["ssh-ed25519 AAAA"] };
    const registered = await register([{ ...machine("w1", "agent", 4), disks, unlock }, machine("a", "server", 1)]);
    expect(waitsFor(registered, "w1-storage")).toContain("w1-access-confirmed");
    expect(waitsFor(registered, "w1-unlock")).toContain("w1-storage");
    expect(waitsFor(registered, "a-k3s-join")).toContain("w1-unlock");
    const { inputs } = registered.find(({ name, type }) => name === "w1-unlock" && type.startsWith("command")) ?? {};
    expect(JSON.stringify(inputs)).not.toContain(passphrase);
});

test("agents join side by side after the first server", async () => {
    const registered = await register(mixed);
    expect(waitsFor(registered, "w1-k3s-join")).toContain("a-k3s-join");
    expect(waitsFor(registered, "w2-k3s-join")).toContain("a-k3s-join");
    expect(waitsFor(registered, "w2-k3s-join")).not.toContain("w1-k3s-join");
});

test("servers join one by one", async () => {
    const registered = await register(three, { address: "10.0.0.9", virtual: false });
    expect(waitsFor(registered, "c-k3s-join")).toEqual(expect.arrayContaining(["a-k3s-join", "b-k3s-join"]));
});

describe("an address that the servers hold among themselves", () => {
    const servers = [...three, machine("w1", "agent", 4)];

    test("is held before the first of them starts, and by no agent", async () => {
        const registered = await register(servers, { address: "10.0.0.9", virtual: true });
        const holders = registered.map(({ name }) => name).filter((name) => name.endsWith("-api-address"));
        expect(holders.sort()).toEqual(["a-api-address", "b-api-address", "c-api-address"]);
        expect(waitsFor(registered, "a-k3s-join")).toEqual(expect.arrayContaining(holders));
        expect(registered.find(({ name }) => name === "b-api-address")?.inputs).toHaveProperty("delete");
    });

    test("is somebody else's by default", async () => {
        const registered = await register(servers, { address: "10.0.0.9", virtual: false });
        expect(registered.filter(({ name }) => name.endsWith("-api-address"))).toEqual([]);
    });
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
    const registered = await register(three, { address: "10.0.0.9", virtual: false });
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
    for (const secret of [
        "the-private-key",
        passphrase,
        "generated-server-token",
        "generated-agent-token",
        "generated-a-cred",
    ]) {
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
