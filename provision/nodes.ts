import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { EdgeSettings } from "../config/edge";
import type { ApiSettings, Identity, K3sSettings, NodeSettings, RegistrySettings, SshSettings } from "../config/nodes";
import { k3sInput } from "./k3s-input";
import { k3sRelease } from "./k3s-release";
import { findClaimsThatLeave } from "./leaving";
import { memberInput } from "./member-input";
import { firstServer, planSteps, type Step, type StepKind } from "./plan";
import { preflight } from "./preflight";
import { remoteScript, type ScriptInput } from "./remote-script";
import { Storage, type StorageArgs } from "./storage";
import { Unattended } from "./unattended";
import { Unlock } from "./unlock";
import { tunnelInterface } from "./wireguard";

/** Arguments of {@link Nodes}. */
export interface NodesArgs {
    /** All nodes; the first server starts the cluster, the others join it. */
    readonly nodes: readonly NodeSettings[];
    /** SSH access to the nodes. */
    readonly ssh: SshSettings;
    /** Address of the API server; default: the first server's. */
    readonly api?: ApiSettings;
    /** Source and arguments of k3s. */
    readonly k3s: K3sSettings;
    /** Registries as the nodes reach them. */
    readonly registries?: pulumi.Input<RegistrySettings>;
    /** Settings of the data disks; without them no node may have any. */
    readonly storage?: Pick<StorageArgs, "passphrase" | "mount">;
    /** The host on the Internet whose tunnel ends at every node; none by default. */
    readonly edge?: EdgeSettings;
    /** Claims whose data may be deleted with their node, as `namespace/name`. */
    readonly discard?: readonly string[];
    /** The cluster that the nodes are in already, if the state does not know it. */
    readonly identity?: Identity;
    /** The release of k3s; the pinned one by default. */
    readonly release?: { readonly version: string; readonly sha256: Readonly<Record<"x86_64" | "aarch64", string>> };
}

type NodeStep = Step<NodeSettings>;

/** Options of each kind of step: the file in provision/scripts if its name differs from the step's, and the rest. */
const runs: Partial<
    Record<StepKind, { readonly script?: string; readonly deletes?: boolean; readonly minutes?: number }>
> = {
    "access-confirmed": { script: "access" },
    "api-address": { deletes: true },
    "k3s-join": { script: "k3s", deletes: true, minutes: 30 },
    "k3s-converge": { script: "k3s", minutes: 30 },
    leave: { deletes: true },
};

/** The month, as the input of a step that renews something: it then runs in the first `up` of each month. */
export function renewalPeriod(now: Date): string {
    return now.toISOString().slice(0, 7);
}

/**
 * Cluster of hosts with Debian or Ubuntu and SSH. {@link planSteps} orders the steps; this component gives each step
 * its script and its input.
 */
export class Nodes extends pulumi.ComponentResource {
    /** The administrator's kubeconfig, known when every node is Ready. A secret. */
    readonly kubeconfig: pulumi.Output<string>;
    /** Public host keys of the initramfs, by node, of the nodes that are unlocked over SSH. */
    readonly unlockHostKeys: pulumi.Output<Record<string, string>>;
    /** Id of the cluster, which its nodes are marked with. */
    readonly cluster: pulumi.Output<string>;

    constructor(name: string, args: NodesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("hearth:provision:Nodes", name, {}, opts);
        const { nodes, ssh, storage, identity, k3s, release = k3sRelease } = args;
        const first = firstServer(nodes);
        if (first === undefined) {
            throw new pulumi.RunError(
                'hearth:nodes: at least one node needs the role "server" and must not be offline',
            );
        }
        const api = args.api?.address ?? first.address;
        const virtual = args.api?.virtual === true;
        // Sorted: reordering the entries is not a change.
        const addressesOf = (some: readonly NodeSettings[]) => some.map(({ address }) => address).sort();
        const addresses = addressesOf(nodes);
        const servers = addressesOf(nodes.filter(({ role }) => role === "server"));
        const { version, sha256 } = release;

        const token = (which: "server-token" | "agent-token", known: string | undefined) =>
            pulumi.secret(
                known ?? new random.RandomPassword(which, { length: 48, special: false }, { parent: this }).result,
            );
        const serverToken = token("server-token", identity?.serverToken);
        const agentToken = token("agent-token", identity?.agentToken);
        const cluster = identity?.cluster ?? new random.RandomId("cluster", { byteLength: 8 }, { parent: this }).hex;
        const registries = pulumi.output(args.registries ?? {});

        const checked = preflight(
            "preflight",
            {
                nodes,
                ssh,
                cluster,
                version,
                k3s,
                purpose: { api, sha256, source: k3s.source, mount: storage?.mount },
                ...(virtual ? { virtualAddress: api } : {}),
            },
            { parent: this },
        );

        const done = new Map<string, pulumi.Resource>();
        const results = new Map<string, pulumi.Output<string>>();
        const resultOf = (kind: StepKind, node: NodeSettings) =>
            results.get(`${node.name}-${kind}`) ?? pulumi.output("");
        const credential = (index: 0 | 1 | 2) =>
            pulumi.secret(resultOf("credentials", first)).apply((text) => {
                const [server = "", agent = "", ...kubeconfig] = text.split("\n");
                return [server, agent, `${kubeconfig.join("\n")}\n`][index] ?? "";
            });
        const tokenOf = (node: NodeSettings) => {
            if (node.role === "agent") {
                return credential(1);
            }
            return node === first ? serverToken : credential(0);
        };
        const k3sStep = (node: NodeSettings): ScriptInput => {
            const membership = pulumi.all([tokenOf(node), agentToken]).apply(([own, forAgents]) => ({
                ...(node === first ? {} : { joins: first.address }),
                ...{ api, token: own, agentToken: forAgents, settings: k3s },
            }));
            return {
                ...{ cluster, version, role: node.role, address: node.address },
                machine: resultOf("baseline", node),
                ...k3sInput(node, membership, registries, k3s),
            };
        };
        const discard = (args.discard ?? []).join("\n");
        const identityInput = (node: NodeSettings) => ({ cluster, machine: resultOf("baseline", node) });

        const inputs: Record<
            Exclude<StepKind, "storage" | "unlock" | "unattended" | "tunnel" | "token">,
            (node: NodeSettings) => ScriptInput
        > = {
            "k3s-binary": () => ({
                ...{ version, source: k3s.source },
                ...{ sha256_x86_64: sha256.x86_64, sha256_aarch64: sha256.aarch64 },
            }),
            baseline: () => ({
                hosts: nodes
                    .map((node) => `${node.address} ${node.name}`)
                    .sort()
                    .join("\n"),
            }),
            access: ({ port, address }) => ({
                port: String(port),
                addresses: addresses.join(" "),
                cluster_networks: `${k3s.clusterCidr} ${k3s.serviceCidr}`,
                ...(args.edge ? { tunnel: tunnelInterface, address } : {}),
            }),
            "access-confirmed": (node) => inputs.access(node),
            "api-address": (node) => ({
                ...identityInput(node),
                ...{ virtual: api, address: node.address, servers: servers.join(" ") },
            }),
            "k3s-join": (node) => ({
                ...k3sStep(node),
                ...{ step: "join", discard },
                ...(node === first ? {} : { kubeconfig: credential(2) }),
            }),
            "k3s-converge": (node) => ({
                ...k3sStep(node),
                step: "converge",
                // Read by the delete, which only the join has.
                discard: "",
                // A server queries its own API server: its certificate may not have the API's address yet.
                ...(node.role === "agent" ? { kubeconfig: credential(2) } : {}),
            }),
            credentials: () => ({ api, period: renewalPeriod(new Date()) }),
            api: () => ({ api }),
            leave: (node) => ({
                ...identityInput(node),
                ...{ role: node.role, address: node.address, servers: servers.join(" ") },
                kubeconfig: credential(2),
                discard,
            }),
            member: (node) => memberInput(node, resultOf("baseline", node), version),
        };

        const unlockHostKeys: Record<string, pulumi.Output<string>> = {};
        const register = ({ name: stepName, kind, node, on }: NodeStep, options: pulumi.CustomResourceOptions) => {
            const { disks, raid, unlock } = node;
            // No step runs on a node that is switched off, nor for it on the first server.
            const target = node.offline ? { ...on, substitute: first } : on;
            if (kind === "tunnel" || kind === "token") {
                throw new Error(`${stepName} is a step of the edge`);
            }
            if (kind === "storage" || kind === "unattended") {
                if (storage === undefined) {
                    throw new pulumi.RunError(`hearth:storage is missing, and ${node.name} has disks`);
                }
                if (kind === "unattended") {
                    const { passphrase } = storage;
                    return new Unattended(stepName, { node: target, ssh, disks, passphrase }, options);
                }
                const array = { node: target, ssh, disks, raid, clients: addresses, ...storage };
                return new Storage(stepName, array, options);
            }
            if (kind === "unlock") {
                if (unlock === undefined || storage === undefined) {
                    throw new pulumi.RunError(`${node.name} has no unlock`);
                }
                const { passphrase } = storage;
                const unlocking = new Unlock(stepName, { node: target, ssh, disks, passphrase, unlock }, options);
                unlockHostKeys[node.name] = unlocking.hostKey;
                return unlocking;
            }
            const { script = kind, ...more } = runs[kind] ?? {};
            const command = remoteScript(
                stepName,
                { node: target, ssh, script, input: inputs[kind](node), ...more },
                options,
            );
            results.set(stepName, command.stdout);
            return command;
        };
        for (const step of planSteps(nodes, first, { virtual })) {
            const after = step.after.flatMap((each) => done.get(each) ?? []);
            const resource = register(step, {
                parent: this,
                dependsOn: [checked, ...after],
            });
            done.set(step.name, resource);
        }

        if (pulumi.runtime.isDryRun()) {
            const kept = nodes.map((node) => node.name);
            credential(2).apply(async (kubeconfig) => {
                const claims = await findClaimsThatLeave(kubeconfig, kept);
                if (claims.length > 0) {
                    const text =
                        "nodes with volumes on their disks are being removed. The run fails while one of them has data that is " +
                        "not in its last copy, and that hearth:discard does not name:";
                    pulumi.log.warn(`${text}\n  ${claims.join("\n  ")}`, this);
                }
            });
        }

        const members = [...done.values()].map(({ urn }) => urn);
        this.kubeconfig = pulumi.secret(pulumi.all([credential(2), members]).apply(([text]) => text));
        this.unlockHostKeys = pulumi.output(unlockHostKeys);
        this.cluster = pulumi.output(cluster);
        this.registerOutputs({ kubeconfig: this.kubeconfig, unlockHostKeys: this.unlockHostKeys });
    }
}
