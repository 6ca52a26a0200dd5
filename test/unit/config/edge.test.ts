import { parseSettings } from "../../../config/settings";
import { privateKey, publicKey } from "../keys";

const nodes = [{ name: "a", role: "server", address: "192.168.1.10", user: "root", hostKey: publicKey }];
const good = { address: "203.0.113.10", user: "root", hostKey: publicKey };

const parse = (edge: object, changes: Record<string, string | undefined> = {}) => {
    const values = {
        domain: "home.example.com",
        loadBalancer: JSON.stringify({ addresses: ["192.168.1.240-192.168.1.250"] }),
        nodes: JSON.stringify(nodes),
        ssh: JSON.stringify({ privateKey }),
        edge: JSON.stringify({ ...good, ...edge }),
        ...changes,
    };
    return parseSettings({
        stack: "home",
        values: Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value ? [[key, value]] : []))),
        secretKeys: new Set(["ssh"]),
    });
};

test("an address, a user and a host key are enough", () => {
    expect(parse({}).edge).toMatchObject({ name: "edge", port: 22, tunnel: "10.199.99.1", tunnelPort: 51822 });
    expect(() => parse({ address: "edge.example.com" })).not.toThrow();
});

test.each([
    ["the name of a node", { name: "a" }, {}, "hearth:edge.name", "a name that no node of hearth:nodes has"],
    ["an address at home", { address: "192.168.1.9" }, {}, "hearth:edge.address", "outside 192.168.0.0/16"],
    ["an address of a carrier's NAT", { address: "100.72.3.4" }, {}, "hearth:edge.address", "outside 100.64.0.0/10"],
    ["no host key", { hostKey: "" }, {}, "hearth:edge.hostKey", "host key"],
    ["a public address in the tunnel", { tunnel: "203.0.113.1" }, {}, "hearth:edge.tunnel", "a private IPv4 address"],
    [
        "an address of the home's network in the tunnel",
        { tunnel: "192.168.1.99" },
        {},
        "hearth:edge.tunnel",
        "of a node",
    ],
    [
        "an address of the pods in the tunnel",
        { tunnel: "10.42.0.9" },
        {},
        "hearth:edge.tunnel",
        "hearth:k3s.clusterCidr",
    ],
    ["Gerbil's port for the tunnel", { tunnelPort: 51820 }, {}, "hearth:edge.tunnelPort", "apart from Gerbil's"],
    [
        "a cluster that exists already",
        {},
        { nodes: undefined, ssh: undefined, kubeconfig: "kubeconfig.yaml" },
        "set hearth:edge with hearth:nodes only",
        "each node of the home dials out to it",
    ],
])("%s is rejected in a sentence", (_, edge, changes, where, expected) => {
    expect(() => parse(edge, changes)).toThrow(expect.objectContaining({ message: expect.stringContaining(where) }));
    expect(() => parse(edge, changes)).toThrow(expected);
});
