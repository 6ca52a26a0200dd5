import { createHash, createPrivateKey, createPublicKey } from "node:crypto";

/** Name of the tunnel's interface on every host: /etc/wireguard/hearth-edge.conf. */
export const tunnelInterface = "hearth-edge";

/**
 * Seconds between keepalives of an idle node: a router's NAT drops UDP mappings after 30.
 * https://www.wireguard.com/quickstart/
 */
const keepalive = 25;

/** Keys of one end, as WireGuard's files have them. */
export interface WireGuardKeys {
    readonly privateKey: string;
    readonly publicKey: string;
}

/** Beginning of an X25519 private key in PKCS #8 (RFC 8410); its 32 bytes follow. */
const pkcs8 = Buffer.from("302e020100300506032b656e04220420", "hex");

/**
 * Keys derived from a random password, which Pulumi generates once and keeps encrypted in its state.
 *
 * @param password more random than a key: 48 letters and digits are 285 bits
 */
export function wireGuardKeys(password: string): WireGuardKeys {
    const seed = createHash("sha256").update(`hearth wireguard ${password}`).digest();
    const key = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: "der", type: "pkcs8" });
    const spki = createPublicKey(key).export({ format: "der", type: "spki" });
    return { privateKey: seed.toString("base64"), publicKey: spki.subarray(-32).toString("base64") };
}

/** The edge's end of the tunnel: it does not dial, and accepts packets of each node only from the node's address. */
export function edgeConfig(
    { privateKey }: Pick<WireGuardKeys, "privateKey">,
    { tunnel, tunnelPort }: { readonly tunnel: string; readonly tunnelPort: number },
    nodes: readonly { readonly address: string; readonly publicKey: string }[],
): string {
    return [
        "[Interface]",
        `PrivateKey = ${privateKey}`,
        `Address = ${tunnel}/32`,
        `ListenPort = ${tunnelPort}`,
        ...nodes.flatMap(({ address, publicKey }) => [
            "",
            "[Peer]",
            `PublicKey = ${publicKey}`,
            `AllowedIPs = ${address}/32`,
        ]),
        "",
    ].join("\n");
}

/**
 * A node's end: it dials out and keeps its router's NAT open, whatever address the router has today. It has no address of
 * its own in the tunnel: the edge knows the node by the one that the home knows it by.
 */
export function nodeConfig(
    { privateKey }: Pick<WireGuardKeys, "privateKey">,
    { address }: { readonly address: string },
    edge: {
        readonly publicKey: string;
        readonly address: string;
        readonly tunnel: string;
        readonly tunnelPort: number;
    },
): string {
    return [
        "[Interface]",
        `PrivateKey = ${privateKey}`,
        "Table = off",
        `PostUp = ip route replace ${edge.tunnel}/32 dev %i src ${address}`,
        "",
        "[Peer]",
        `PublicKey = ${edge.publicKey}`,
        `Endpoint = ${edge.address}:${edge.tunnelPort}`,
        `AllowedIPs = ${edge.tunnel}/32`,
        `PersistentKeepalive = ${keepalive}`,
        "",
    ].join("\n");
}
