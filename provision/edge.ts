import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { type EdgeSettings, edgeNode } from "../config/edge";
import type { K3sSettings, NodeSettings, RegistrySettings, SshSettings } from "../config/nodes";
import { k3sInput } from "./k3s-input";
import { k3sRelease } from "./k3s-release";
import { memberInput } from "./member-input";
import { firstServer, planEdge, type Step, type StepKind } from "./plan";
import { preflight } from "./preflight";
import { type NodeAddress, remoteScript, type ScriptInput } from "./remote-script";
import { edgeConfig, nodeConfig, tunnelInterface, wireGuardKeys } from "./wireguard";

/** Arguments of {@link Edge}. */
export interface EdgeArgs {
    /** The host, and its end of the tunnel. */
    readonly edge: EdgeSettings;
    /** All nodes of the home: each dials out to the edge. */
    readonly nodes: readonly NodeSettings[];
    /** SSH access; the edge is reached without the nodes' jump host. */
    readonly ssh: SshSettings;
    /** Source and networks of k3s. */
    readonly k3s: K3sSettings;
    /** Registries as the nodes reach them; the edge gets mirrors and authorities, and no login. */
    readonly registries?: pulumi.Input<RegistrySettings>;
    /** Id of the cluster. */
    readonly cluster: pulumi.Input<string>;
    /** The release of k3s; the pinned one by default. */
    readonly release?: { readonly version: string; readonly sha256: Readonly<Record<"x86_64" | "aarch64", string>> };
}

type EdgeStep = Step<NodeSettings>;

/** Scripts whose file has another name than their step. */
const scripts: Partial<Record<StepKind, string>> = {
    "access-confirmed": "access",
    token: "edge-token",
    "k3s-join": "k3s",
    "k3s-converge": "k3s",
};

/** Registries without their logins: an intruder on a public host can read everything there. */
export function withoutLogins(registries: RegistrySettings): RegistrySettings {
    return Object.fromEntries(
        Object.entries(registries).map(([host, { username: _, password: __, ...rest }]) => [host, rest]),
    );
}

/**
 * Small host on the Internet as the home's way in, and the WireGuard tunnel that each node keeps to it. It is an agent
 * with a taint that only the edge's workloads tolerate. {@link planEdge} has the order of the steps. The host gets its
 * own end of the tunnel and a token that lets it join once; no other secret reaches it.
 */
export class Edge extends pulumi.ComponentResource {
    constructor(name: string, args: EdgeArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:provision:Edge", name, {}, opts);
        const { edge, nodes, k3s, cluster, release = k3sRelease } = args;
        const first = firstServer(nodes);
        if (first === undefined) {
            throw new pulumi.RunError(
                'hearth:nodes: at least one node needs the role "server" and must not be offline',
            );
        }
        const { version, sha256 } = release;
        const host = edgeNode(edge);
        const { jumpHost: _, ...direct } = args.ssh;
        const sshOf = (node: NodeSettings) => (node === host ? direct : args.ssh);
        const addressOf = (node: NodeSettings): NodeAddress =>
            node === host
                ? { ...host, address: edge.address }
                : { ...node, ...(node.offline ? { substitute: first } : {}) };

        // Another host key means another system, whose predecessor may have been compromised: it gets other keys.
        const keysOf = (node: NodeSettings) =>
            pulumi.secret(
                new random.RandomPassword(
                    `${node.name}-tunnel-key`,
                    { length: 48, special: false, keepers: { hostKey: node.hostKey } },
                    { parent: this },
                ).result.apply(wireGuardKeys),
            );
        const hostKeys = keysOf(host);
        const nodeKeys = nodes.map((node) => ({ node, keys: keysOf(node) }));
        const peers = pulumi.all(
            nodeKeys.map(({ node, keys }) => keys.apply(({ publicKey }) => ({ address: node.address, publicKey }))),
        );
        const tunnelConfig = (node: NodeSettings) => {
            const own = nodeKeys.find((each) => each.node === node)?.keys;
            return own === undefined
                ? pulumi.all([hostKeys, peers]).apply(([keys, all]) => edgeConfig(keys, edge, all))
                : pulumi
                      .all([own, hostKeys])
                      .apply(([keys, { publicKey }]) => nodeConfig(keys, node, { ...edge, publicKey }));
        };

        const checked = preflight(
            `${edge.name}-preflight`,
            {
                nodes: [{ ...host, address: edge.address }],
                edge: true,
                ssh: direct,
                cluster,
                version,
                k3s,
                purpose: { sha256, source: k3s.source },
            },
            { parent: this },
        );
        const done = new Map<string, pulumi.Resource>();
        const results = new Map<StepKind, pulumi.Output<string>>();
        const resultOf = (kind: StepKind) => results.get(kind) ?? pulumi.output("");
        const registries = pulumi.output(args.registries ?? {}).apply(withoutLogins);
        const addresses = nodes.map(({ address }) => address).sort();
        const k3sStep = (): ScriptInput => {
            // The home's own arguments are for its nodes: another interface would bypass the tunnel.
            const settings = { ...k3s, agent: {} };
            const membership = pulumi
                .secret(resultOf("token"))
                .apply((token) => ({ api: first.address, token, temporary: true, agentToken: "", settings }));
            return {
                ...{ cluster, version, role: host.role, address: host.address, edge: "yes", discard: "" },
                machine: resultOf("baseline"),
                ...k3sInput(host, membership, registries, k3s),
            };
        };
        const access = () => ({
            ...{ port: String(edge.port), edge: "yes", tunnel: tunnelInterface, tunnel_port: String(edge.tunnelPort) },
            addresses: addresses.join(" "),
            cluster_networks: `${k3s.clusterCidr} ${k3s.serviceCidr}`,
        });
        const inputs: Partial<Record<StepKind, (node: NodeSettings) => ScriptInput>> = {
            "k3s-binary": () => ({
                ...{ version, source: k3s.source },
                ...{ sha256_x86_64: sha256.x86_64, sha256_aarch64: sha256.aarch64 },
            }),
            baseline: () => ({ hosts: `${host.address} ${host.name}`, edge: "yes" }),
            access,
            "access-confirmed": access,
            tunnel: (node) => ({
                interface: tunnelInterface,
                config: tunnelConfig(node),
                peer: node === host ? "" : edge.tunnel,
            }),
            token: () => ({ member: host.name, machine: resultOf("baseline") }),
            "k3s-join": () => ({ ...k3sStep(), step: "join" }),
            "k3s-converge": () => ({ ...k3sStep(), step: "converge" }),
            member: () => memberInput(host, resultOf("baseline"), version),
        };
        const register = ({ name: step, kind, node, on, after }: EdgeStep) => {
            const command = remoteScript(
                step,
                {
                    node: addressOf(on),
                    ssh: sshOf(on),
                    script: scripts[kind] ?? kind,
                    input: inputs[kind]?.(node) ?? {},
                    // No step runs on the edge itself: a lost one must not block the home.
                    deletes: kind === "member" || (kind === "tunnel" && node !== host),
                    ...(kind.startsWith("k3s-") ? { minutes: 30 } : {}),
                },
                { parent: this, dependsOn: [checked, ...after.flatMap((each) => done.get(each) ?? [])] },
            );
            done.set(step, command);
            if (node === host) {
                results.set(kind, command.stdout);
            }
        };
        for (const step of planEdge(host, nodes, first)) {
            register(step);
        }
        this.registerOutputs({});
    }
}
