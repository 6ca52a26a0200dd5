/** One finding of the preflight check on one node. */
export interface Finding {
    readonly node: string;
    readonly level: "ok" | "warning" | "fatal";
    readonly what: string;
    /** Remedy; empty if none. */
    readonly advice: string;
}

/** A node as the cluster's API lists it. */
export interface Peer {
    readonly name: string;
    /** Machine id of the system that it runs; empty if it never reported one. */
    readonly machine: string;
    readonly address: string;
    readonly ready: boolean;
}

/** Result of inspecting one host. */
export interface Look {
    readonly findings: readonly Finding[];
    /** True if it carries the marker of this cluster. */
    readonly isMember: boolean;
    /** Its machine id; undefined if it was not reached. */
    readonly machine?: string;
    /** Nodes of the cluster, if it is a server of it and its API answers. */
    readonly peers: readonly Peer[];
    /** Its data disks, by world-wide name and by the UUID of their encryption; a serial number is not unique. */
    readonly disks: readonly { readonly serial: string; readonly id: string }[];
    /** The address for the servers to share, if another host has it already, as seen from here. */
    readonly taken?: string;
}

/** Reads the result of preflight.sh: fields set apart by tabs, a line each. */
export function parseFindings(node: string, text: string): Look {
    const lines = text.split("\n").map((line) => line.split("\t"));
    const first = (key: string) => lines.find(([level]) => level === key)?.[1];
    const taken = first("taken");
    const machine = first("machine");
    return {
        findings: lines.flatMap(([level, what = "", advice = ""]) =>
            level === "ok" || level === "warning" || level === "fatal" ? [{ node, level, what, advice }] : [],
        ),
        isMember: first("member") !== undefined,
        peers: lines.flatMap(([level, name = "", id = "", address = "", ready = ""]) =>
            level === "node" ? [{ name, machine: id, address, ready: ready === "True" }] : [],
        ),
        disks: lines.flatMap(([level, serial = "", id = ""]) => (level === "disk" ? [{ serial, id }] : [])),
        ...(machine === undefined ? {} : { machine }),
        ...(taken === undefined ? {} : { taken }),
    };
}

/** Finding for a failed connection. */
export function connectionFinding(node: string, target: string, stderr: string): Finding {
    const fatal = (what: string, advice: string): Finding => ({ node, level: "fatal", what, advice });
    if (/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|no matching host key/.test(stderr)) {
        return fatal(
            "another host key than the config has",
            "if the machine was reinstalled: hack/host-keys prints its keys; compare the fingerprint at its console",
        );
    }
    if (/Permission denied|Too many authentication failures/.test(stderr)) {
        return fatal(
            "the private key is not accepted",
            `put its public key into ~/.ssh/authorized_keys of ${target}, or correct hearth:ssh`,
        );
    }
    if (/sudo:/.test(stderr)) {
        return fatal(
            "sudo requires a password, or is not installed",
            `on the node: apt install sudo; echo '${target.split("@")[0]} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/hearth`,
        );
    }
    if (/refused|timed out|No route|unreachable|resolve hostname|closed|reset/i.test(stderr)) {
        return fatal(
            `not reachable: ${stderr.trim().split("\n").pop()}`,
            "check whether it is on, and its sshd listens at this address and port. If it is meant to be off, set offline: true for it",
        );
    }
    return fatal(stderr.trim().split("\n").pop() || "the session ended without a message", `try: ssh ${target}`);
}

/** Inspection of a node, with its entry in the config. */
export type NodeLook = Pick<Look, "isMember" | "machine" | "peers" | "disks" | "taken"> & {
    readonly name: string;
    readonly role: "server" | "agent";
};

/**
 * Rejects a host that is to be a node which the cluster has on another host: k3s would refuse it, or two hosts would be
 * one node.
 */
function replacedFindings(nodes: readonly NodeLook[]): Finding[] {
    const peers = nodes.flatMap((node) => node.peers);
    return nodes.flatMap(({ name, isMember, machine }): Finding[] => {
        const peer = isMember || machine === undefined ? undefined : peers.find((each) => each.name === name);
        if (peer === undefined || peer.machine === machine) {
            return [];
        }
        const what = `the cluster has ${name} on another host (at ${peer.address}, ${peer.ready ? "Ready" : "not Ready"})`;
        return [
            {
                ...{ node: name, level: "fatal", what },
                advice: peer.ready
                    ? `take ${name} out of hearth:nodes and run \`pulumi up\`, then add this host; or give it another name`
                    : `if that host no longer exists: hack/forget-node ${name}, and rerun \`pulumi up\``,
            },
        ];
    });
}

/** Rejects hosts that cannot be distinguished: copies of one disk. */
function copiedFindings(nodes: readonly NodeLook[]): Finding[] {
    // A node that is offline was not inspected, but the cluster knows its machine id.
    const known = nodes.flatMap(({ peers }) => peers);
    return nodes.flatMap(({ name, machine, isMember }, index): Finding[] => {
        const twin =
            nodes.slice(0, index).find((each) => machine !== undefined && each.machine === machine) ??
            known.find((each) => !isMember && each.machine === machine && each.name !== name);
        return twin === undefined
            ? []
            : [
                  {
                      ...{
                          node: name,
                          level: "fatal",
                          what: `it has the machine id of ${twin.name}: a copy of its disk`,
                      },
                      advice: `on ${name}, before it is a node: rm /etc/machine-id; systemd-machine-id-setup; reboot`,
                  },
              ];
    });
}

/** Rejects a data disk that two hosts see, on a shared bus or in a storage network: both would write to it. */
function sharedFindings(nodes: readonly NodeLook[]): Finding[] {
    return nodes.flatMap(({ name, disks }, index): Finding[] => {
        const others = nodes
            .slice(0, index)
            .flatMap((other) => other.disks.map(({ id }) => ({ id, node: other.name })));
        const shared = new Map(
            disks.flatMap(({ serial, id }): [serial: string, node: string][] => {
                const other = others.find((each) => each.id === id);
                return other === undefined ? [] : [[serial, other.node]];
            }),
        );
        return [...shared].map(([serial, other]) => ({
            ...{ node: name, level: "fatal", what: `disk ${serial} is a disk of ${other}, too` },
            advice: `remove it from one of the two: hosts that write to one disk destroy each other's data`,
        }));
    });
}

/**
 * Findings about the nodes together. The first server starts a cluster: if others are in one already and the first is
 * not, it would start a second one. Before the cluster exists, no host may have the address that its servers will
 * share.
 */
export function clusterFindings(nodes: readonly NodeLook[]): Finding[] {
    const first = nodes.find(({ role }) => role === "server");
    const member = nodes.find(({ role, isMember }) => role === "server" && isMember);
    const orphan = nodes.find(({ role, isMember }) => role === "agent" && isMember);
    const neighbor = nodes.find(({ taken }) => taken !== undefined);
    const fatal = (node: string, what: string, advice: string): Finding[] => [{ node, level: "fatal", what, advice }];
    const others = [...copiedFindings(nodes), ...replacedFindings(nodes), ...sharedFindings(nodes)];
    if (first && member && first !== member) {
        return [
            ...others,
            ...fatal(
                first.name,
                `is the first server, and not in the cluster that ${member.name} is in`,
                `put ${member.name} before it in hearth:nodes: the first one starts the cluster, the others join`,
            ),
        ];
    }
    if (first?.machine !== undefined && !member && orphan) {
        return [
            ...others,
            ...fatal(
                orphan.name,
                `is in a cluster that none of the servers is in: ${first.name} would start a second one`,
                `restore the datastore on ${first.name} (docs/restore.md), or reinstall Debian on ${orphan.name}, too`,
            ),
        ];
    }
    return neighbor && !member
        ? [
              ...others,
              ...fatal(
                  neighbor.name,
                  `another host has the address ${neighbor.taken} already`,
                  "choose a free one for hearth:api.address; if a load balancer of yours has it, remove hearth:api.virtual",
              ),
          ]
        : others;
}

/** The findings as one table, problems first. */
export function formatFindings(findings: readonly Finding[]): string {
    const order = { fatal: 0, warning: 1, ok: 2 } as const;
    const rows = findings
        .toSorted((a, b) => order[a.level] - order[b.level])
        .map(({ node, level, what, advice }) => [node, level, what, advice]);
    const all = [["NODE", "", "FOUND", "WHAT TO DO"], ...rows];
    const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
    return all
        .map((row) =>
            row
                .map((cell, column) => cell.padEnd(widths[column] ?? 0))
                .join("  ")
                .trimEnd(),
        )
        .join("\n");
}
