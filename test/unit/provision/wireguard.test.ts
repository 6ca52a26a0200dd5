import { edgeConfig, nodeConfig, wireGuardKeys } from "../../../provision/wireguard";

test("the same password makes the same key pair in every version, or an upgrade would break every tunnel", () => {
    // `wg pubkey` prints this public key for this private one.
    expect(wireGuardKeys("a password of the state")).toEqual({
        privateKey: "J4gVci5MS7KnzvW6xntRS6peRvNXP/o13jxNFOkO9IY=",
        publicKey: "gV0vJbLQ9U7ZHRyetlQUwBq2j7lKjnub7aM+R8Y6FlA=",
    });
});

const edge = { address: "edge.example.com", tunnel: "10.199.99.1", tunnelPort: 51822, publicKey: "of-the-edge" };

test("a node dials out, keeps the router's NAT open, and accepts packets only from the edge's address", () => {
    expect(nodeConfig({ privateKey: "of-the-node" }, { address: "192.168.1.10" }, edge)).toBe(`[Interface]
PrivateKey = of-the-node
Table = off
PostUp = ip route replace 10.199.99.1/32 dev %i src 192.168.1.10

[Peer]
PublicKey = of-the-edge
Endpoint = edge.example.com:51822
AllowedIPs = 10.199.99.1/32
PersistentKeepalive = 25
`);
});

test("the edge does not dial, and accepts from each node only packets of that node's address", () => {
    const nodes = [
        { address: "192.168.1.10", publicKey: "of-a" },
        { address: "192.168.1.11", publicKey: "of-b" },
    ];
    expect(edgeConfig({ privateKey: "of-the-edge" }, edge, nodes)).toBe(`[Interface]
PrivateKey = of-the-edge
Address = 10.199.99.1/32
ListenPort = 51822

[Peer]
PublicKey = of-a
AllowedIPs = 192.168.1.10/32

[Peer]
PublicKey = of-b
AllowedIPs = 192.168.1.11/32
`);
});
