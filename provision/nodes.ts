import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { ApiSettings, NodeSettings } from "../config/nodes";
import { auditPolicyText, k3sConfig, podSecurityText, registrationConfig } from "./k3s-config";
import { k3sRelease } from "./k3s-release";
import { preflight } from "./preflight";
import { remoteScript } from "./remote-script";
import { type Step, stepName } from "./steps";
import { Storage, type StorageArgs } from "./storage";
import { Unlock } from "./unlock";

/** Arguments of {@link Nodes}. */
export interface NodesArgs {
    /** All nodes; the first server starts the cluster, the others join it. */
    readonly nodes: readonly NodeSettings[];
    /** Private key that every node lets in. */
    readonly privateKey: pulumi.Input<string>;
    /** How the API server is reached when a server is not there; at the first server's address by default. */
    readonly api?: ApiSettings;
    /** Where k3s comes from: the base of URLs, or a directory on the nodes. */
    readonly source: string;
    /** What the data disks have in common; without it no node may have any. */
    readonly storage?: Pick<StorageArgs, "passphrase" | "mount" | "allowedRanges">;
    /** The release of k3s; the pinned one by default. */
    readonly release?: { readonly version: string; readonly sha256: Readonly<Record<"x86_64" | "aarch64", string>> };
}

/** Shell variables of k3s.sh that are the same for every step of a node. */
interface K3sInput {
    readonly role: string;
    readonly registration: string;
    readonly config: pulumi.Output<string>;
}

/**
 * Machines with Debian and SSH, made into a cluster: all are looked at, then prepared side by side; the first server
 * starts the cluster, the others join; what differs from the config is then brought in one node at a time.
 */
export class Nodes extends pulumi.ComponentResource {
    /** The administrator's kubeconfig; known when every node is Ready. A secret. */
    readonly kubeconfig: pulumi.Output<string>;
    /** Public host keys of the initramfs, by name of the node, of those that are unlocked over SSH. */
    readonly unlockHostKeys: pulumi.Output<Record<string, string>>;

    constructor(name: string, args: NodesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:provision:Nodes", name, {}, opts);
        const { nodes, privateKey, release = k3sRelease } = args;
        const servers = nodes.filter(({ role }) => role === "server");
        const agents = nodes.filter(({ role }) => role === "agent");
        const [first, ...otherServers] = servers;
        if (first === undefined) {
            throw new pulumi.RunError('hearth:nodes: at least one node needs the role "server"');
        }
        const api = args.api?.address ?? first.address;
        const virtual = args.api?.virtual === true ? api : undefined;
        const child = (...dependsOn: pulumi.Resource[]) => ({ parent: this, dependsOn });
        const run = (
            step: Step,
            node: NodeSettings,
            script: string,
            input: Readonly<Record<string, pulumi.Input<string>>>,
            dependsOn: readonly pulumi.Resource[],
            more: { readonly deletes?: boolean; readonly timeout?: string } = {},
        ) => remoteScript(stepName(node.name, step), { node, privateKey, script, input, ...more }, child(...dependsOn));

        const password = (token: string) =>
            pulumi.secret(new random.RandomPassword(token, { length: 48, special: false }, { parent: this }).result);
        const serverToken = password("server-token");
        const agentToken = password("agent-token");
        const cluster = new random.RandomId("cluster", { byteLength: 8 }, { parent: this }).hex;

        const { mount, allowedRanges } = args.storage ?? {};
        const { version, sha256 } = release;
        const purpose = { api, sha256, source: args.source, mount, allowedRanges };
        const looked = preflight(
            "preflight",
            {
                nodes,
                privateKey,
                cluster,
                version,
                purpose,
                ...(virtual === undefined ? {} : { virtualAddress: virtual }),
            },
            child(),
        );

        const hosts = nodes.map((node) => `${node.address} ${node.name}`).join("\n");
        const addresses = nodes.map((node) => node.address).join(" ");
        const serverAddresses = servers.map(({ address }) => address);
        const unlockHostKeys: Record<string, pulumi.Output<string>> = {};
        // A mirror with another k3s than the pinned one is found out before any node is changed.
        const fetched = nodes.map((node) =>
            run(
                "k3s-binary",
                node,
                "k3s-binary",
                { version, source: args.source, sha256_x86_64: sha256.x86_64, sha256_aarch64: sha256.aarch64 },
                [looked],
            ),
        );
        const prepared = new Map(
            nodes.map((node): [NodeSettings, pulumi.Resource] => {
                const baseline = run("baseline", node, "baseline", { hosts }, fetched);
                const access = {
                    port: String(node.port),
                    addresses,
                    nfs_ranges: node.disks.length > 0 ? (allowedRanges?.join(" ") ?? "") : "",
                };
                const hardened = run("access", node, "access", access, [baseline]);
                // The same again in a session of its own: it confirms the first, or does it anew if that came to nothing.
                const confirmed = run("access-confirmed", node, "access", access, [hardened]);
                const { name, address, role, disks, unlock } = node;
                const reachable =
                    virtual === undefined || role === "agent"
                        ? confirmed
                        : run(
                              "api-address",
                              node,
                              "api-address",
                              { virtual, address, servers: serverAddresses.join(" ") },
                              [confirmed],
                              { deletes: true },
                          );
                if (args.storage === undefined || disks.length === 0) {
                    return [node, reachable];
                }
                const storage = new Storage(
                    stepName(name, "storage"),
                    { node, privateKey, disks, ...args.storage },
                    child(reachable),
                );
                if (unlock === undefined) {
                    return [node, storage];
                }
                const unlocking = new Unlock(
                    stepName(name, "unlock"),
                    { node, privateKey, disks, unlock },
                    child(storage),
                );
                unlockHostKeys[name] = unlocking.hostKey;
                return [node, unlocking];
            }),
        );
        const readiedOf = (node: NodeSettings) => [prepared.get(node) ?? looked];

        const k3s = (
            step: "join" | "converge",
            node: NodeSettings,
            input: K3sInput,
            dependsOn: readonly pulumi.Resource[],
            kubeconfig: pulumi.Input<string> = "",
        ) =>
            run(
                `k3s-${step}`,
                node,
                "k3s",
                {
                    ...input,
                    step,
                    cluster,
                    version,
                    audit_policy: auditPolicyText,
                    pod_security: podSecurityText,
                    kubeconfig,
                },
                dependsOn,
                { deletes: step === "join", timeout: "30m" },
            );
        const inputOf = (node: NodeSettings, part: "first" | "server" | "agent", token: pulumi.Input<string>) => ({
            role: node.role,
            registration: registrationConfig(node),
            config: pulumi.all([token, agentToken]).apply(([own, forAgents]) =>
                k3sConfig(node, {
                    part,
                    token: own,
                    ...(part === "agent" ? {} : { agentToken: forAgents }),
                    api,
                    servers: serverAddresses,
                }),
            ),
        });

        // Nothing joins, and nothing starts, before every node is prepared: a node that cannot be is found out early.
        const firstInput = inputOf(first, "first", serverToken);
        const started = k3s("join", first, firstInput, [...prepared.values()]);
        const credentials = run("credentials", first, "credentials", { api }, [started]);
        const part = (index: number) =>
            pulumi.secret(credentials.stdout).apply((text) => {
                const [server = "", agent = "", ...kubeconfig] = text.split("\n");
                return [server, agent, `${kubeconfig.join("\n")}\n`][index] ?? "";
            });
        const kubeconfig = part(2);

        const inputs = new Map<NodeSettings, K3sInput>([[first, firstInput]]);
        let last: pulumi.Resource = started;
        const joined: pulumi.Resource[] = [started];
        for (const node of otherServers) {
            // etcd takes one new member at a time.
            const input = inputOf(node, "server", part(0));
            last = k3s("join", node, input, [last, ...readiedOf(node)]);
            inputs.set(node, input);
            joined.push(last);
        }
        for (const node of agents) {
            const input = inputOf(node, "agent", part(1));
            inputs.set(node, input);
            joined.push(k3s("join", node, input, [started, ...readiedOf(node)]));
        }

        let turn: pulumi.Resource[] = joined;
        const members: pulumi.Resource[] = [];
        for (const node of [...servers, ...agents]) {
            const input = inputs.get(node) ?? firstInput;
            const converged = k3s("converge", node, input, turn, kubeconfig);
            turn = [converged];
            members.push(
                remoteScript(
                    stepName(node.name, "member"),
                    {
                        node: first,
                        privateKey,
                        script: "member",
                        input: {
                            member: node.name,
                            version,
                            labels: Object.entries(node.labels)
                                .map(([key, value]) => `${key}=${value}`)
                                .join("\n"),
                            taints: node.taints.join("\n"),
                        },
                        deletes: true,
                    },
                    child(converged),
                ),
            );
        }
        const ready = pulumi.all(members.map(({ urn }) => urn));
        this.kubeconfig = pulumi.secret(pulumi.all([kubeconfig, ready]).apply(([text]) => text));
        this.unlockHostKeys = pulumi.output(unlockHostKeys);
        this.registerOutputs({ kubeconfig: this.kubeconfig, unlockHostKeys: this.unlockHostKeys });
    }
}
