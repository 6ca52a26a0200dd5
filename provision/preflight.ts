import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type K3sSettings, type NodeSettings, raidLevel, type SshSettings } from "../config/nodes";
import { scriptsChecksum, scriptText } from "./remote-script";
import { diskLines } from "./storage";

/** One node, as input of the preflight check. */
export interface PreflightNode {
    readonly name: string;
    readonly address: string;
    readonly port: number;
    readonly user: string;
    readonly hostKey: string;
    readonly role: "server" | "agent";
    /** Shell variables of preflight.sh. */
    readonly input: Readonly<Record<string, string>>;
}

/** Input of the preflight check, on its standard input. */
export interface PreflightInput {
    readonly nodes: readonly PreflightNode[];
    /** SSH access to the nodes. */
    readonly ssh: SshSettings;
    /** Id of the cluster, in the marker of its nodes. */
    readonly cluster: string;
    /** The script that inspects a node, without assignments. */
    readonly script: string;
}

/** Ports that must be free before k3s is installed. */
const ports = { server: "6443 10250 2379 2380 10257 10259", agent: "10250" } as const;

/** Arguments of {@link preflight}. */
export interface PreflightArgs {
    /** All nodes; offline ones are not inspected. */
    readonly nodes: readonly NodeSettings[];
    /** True if they are the home's edge, which has its address at its provider. */
    readonly edge?: boolean;
    /** SSH access to the nodes. */
    readonly ssh: SshSettings;
    /** Id of the cluster. */
    readonly cluster: pulumi.Input<string>;
    /** The release of k3s that they will run; none by default. */
    readonly version?: string;
    /** Networks of pods and Services. */
    readonly k3s: Pick<K3sSettings, "clusterCidr" | "serviceCidr">;
    /** The address that the servers share; none by default. */
    readonly virtualAddress?: string;
    /** Additional inputs whose change triggers another inspection. */
    readonly purpose: pulumi.Input<unknown>;
}

/**
 * Inspects all nodes in parallel before any of them is changed, and fails with a table of problems. It does so again
 * before each change.
 */
export function preflight(
    name: string,
    { nodes, edge, ssh, cluster, version = "", k3s, virtualAddress = "", purpose }: PreflightArgs,
    opts: pulumi.CustomResourceOptions,
): command.local.Command {
    const input = pulumi.output(cluster).apply(
        (id): PreflightInput => ({
            nodes: nodes
                .filter(({ offline }) => !offline)
                .map(({ name: node, address, port, user, hostKey, role, disks, raid, unlock }) => ({
                    ...{ name: node, address, port, user, hostKey, role },
                    input: {
                        ...{ address, role, version, ports: ports[role], virtual: virtualAddress },
                        networks: `${k3s.clusterCidr} ${k3s.serviceCidr}`,
                        unlock: unlock === undefined ? "" : "yes",
                        ...(edge ? { edge: "yes" } : {}),
                        disks: diskLines(disks),
                        raid: `${raidLevel({ disks, raid })}`,
                    },
                })),
            ssh,
            cluster: id,
            script: scriptText("preflight", {}),
        }),
    );
    return new command.local.Command(
        name,
        {
            // Replaces the shell, so that Ctrl-C ends it: see waitFor.
            create: "exec node dist/preflight.cjs",
            stdin: pulumi.secret(input.apply((each) => JSON.stringify(each))),
            logging: command.local.Logging.Stdout,
            triggers: [nodes, version, virtualAddress, purpose, scriptsChecksum()],
        },
        { ...opts, customTimeouts: { create: "5m", update: "5m" } },
    );
}
