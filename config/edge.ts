import { isIPv4 } from "node:net";
import { z } from "zod";
import { dnsLabel } from "../lib/dns-label";
import { hostKey, hostName, type NodeSettings, userName } from "./nodes";

const port = z.int("a port").min(1, "a port").max(65535, "a port");

/** UDP ports of Gerbil at the edge: tunnels of Pangolin's sites, and their relay. */
const gerbilPorts = [51820, 21820];

/** Small host with a public address, through which the home is reached from the Internet. */
export const edgeSchema = z.strictObject({
    /** Its name in the cluster, and its host name. */
    name: z.string().regex(dnsLabel, 'a lower-case host name without dots, for instance "edge"').default("edge"),
    /** Its public address: the home's nodes dial it, and so does SSH. */
    address: z.string().regex(hostName, "a host name or an IPv4 address"),
    /** Port of its sshd. */
    port: port.default(22),
    /** Login: root, or a user with passwordless sudo for everything. */
    user: userName,
    hostKey,
    /** Its address in the tunnel, by which the nodes reach it: a private one outside the home's networks. */
    tunnel: z
        .string()
        .refine(
            (text) => isIPv4(text) && /^(10|172\.(1[6-9]|2\d|3[01])|192\.168)\./.test(text),
            "a private IPv4 address",
        )
        .default("10.199.99.1"),
    /** UDP port of the tunnel. */
    tunnelPort: port
        .refine((given) => !gerbilPorts.includes(given), `a port apart from Gerbil's, ${gerbilPorts.join(" and ")}`)
        .default(51822),
});

/** The edge, validated. */
export type EdgeSettings = z.output<typeof edgeSchema>;

/** Label and taint of the edge: charts/common has its workloads select and tolerate them. */
const edgeKey = "hearth/edge";

/** The edge as a node of the cluster, with its address in the tunnel. */
export function edgeNode({ name, port, user, hostKey, tunnel }: EdgeSettings): NodeSettings {
    return {
        ...{ name, address: tunnel, port, user, hostKey },
        role: "agent",
        labels: { [edgeKey]: "true" },
        taints: [`${edgeKey}=true:NoSchedule`],
        disks: [],
        offline: false,
    };
}
