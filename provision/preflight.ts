import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { NodeSettings } from "../config/nodes";
import { scriptsChecksum, scriptText } from "./remote-script";
import { diskLines } from "./storage";

/** One node as the preflight check is told of it. */
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

/** What the preflight check is told on standard input. */
export interface PreflightInput {
    readonly nodes: readonly PreflightNode[];
    /** Private key that every node lets in. */
    readonly privateKey: string;
    /** Name of the cluster, which its nodes carry. */
    readonly cluster: string;
    /** The script that looks at a node, without assignments. */
    readonly script: string;
}

/** Ports that must be free before k3s is there. */
const ports = { server: "6443 10250 2379 2380 10257 10259", agent: "10250" } as const;

/**
 * Looks at all nodes side by side before any of them is changed, and fails with a table if something is wrong. It does so
 * again before each change.
 */
export function preflight(
    name: string,
    args: {
        readonly nodes: readonly NodeSettings[];
        readonly privateKey: pulumi.Input<string>;
        readonly cluster: pulumi.Input<string>;
        /** The release of k3s that they will run. */
        readonly version?: string;
        /** The address that the servers hold among themselves. */
        readonly virtualAddress?: string;
        /** What else the nodes are to become; when it changes, they are looked at again. */
        readonly purpose: pulumi.Input<unknown>;
    },
    opts: pulumi.CustomResourceOptions,
): command.local.Command {
    const { version = "", virtualAddress = "" } = args;
    const input = pulumi.all([args.privateKey, args.cluster]).apply(
        ([privateKey, cluster]): PreflightInput => ({
            nodes: args.nodes.map(({ name, address, port, user, hostKey, role, disks }) => ({
                name,
                address,
                port,
                user,
                hostKey,
                role,
                input: {
                    address,
                    role,
                    version,
                    ports: ports[role],
                    virtual: virtualAddress,
                    disks: diskLines(disks),
                },
            })),
            privateKey,
            cluster,
            script: scriptText("preflight", {}),
        }),
    );
    return new command.local.Command(
        name,
        {
            // In the shell's place, so that Ctrl-C ends it: see waitFor.
            create: "exec node dist/preflight.cjs",
            stdin: pulumi.secret(input.apply((told) => JSON.stringify(told))),
            logging: command.local.Logging.Stdout,
            triggers: [args.nodes, version, virtualAddress, args.purpose, scriptsChecksum()],
        },
        { ...opts, customTimeouts: { create: "5m", update: "5m" } },
    );
}
