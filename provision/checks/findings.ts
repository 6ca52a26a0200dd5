/** One finding of the preflight check on one node. */
export interface Finding {
    readonly node: string;
    readonly level: "ok" | "warning" | "fatal";
    readonly what: string;
    /** What to do about it; empty if nothing. */
    readonly advice: string;
}

/** What is known of one node after it was looked at. */
export interface Look {
    readonly findings: readonly Finding[];
    /** Whether it carries the name of this cluster. */
    readonly isMember: boolean;
    /** The address for the servers to hold among themselves, if somebody has it already, as seen from here. */
    readonly taken?: string;
}

/** Reads what preflight.sh hands back: level, what and advice, set apart by tabs, a line for each finding. */
export function parseFindings(node: string, text: string): Look {
    const lines = text.split("\n").map((line) => line.split("\t"));
    const taken = lines.find(([level]) => level === "taken")?.[1];
    return {
        findings: lines.flatMap(([level, what = "", advice = ""]) =>
            level === "ok" || level === "warning" || level === "fatal" ? [{ node, level, what, advice }] : [],
        ),
        isMember: lines.some(([level]) => level === "member"),
        ...(taken === undefined ? {} : { taken }),
    };
}

/** What a connection that failed tells, as a finding. */
export function connectionFinding(node: string, target: string, stderr: string): Finding {
    const fatal = (what: string, advice: string): Finding => ({ node, level: "fatal", what, advice });
    if (/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|no matching host key/.test(stderr)) {
        return fatal(
            "another host key than the config has",
            "if the machine was set up anew: hack/host-keys prints its keys; compare the fingerprint at its console",
        );
    }
    if (/Permission denied|Too many authentication failures/.test(stderr)) {
        return fatal(
            "the private key is not let in",
            `put its public key into ~/.ssh/authorized_keys of ${target}, or correct hearth:ssh.privateKey`,
        );
    }
    if (/sudo:/.test(stderr)) {
        return fatal(
            "sudo wants a password, or is not there",
            `on the node: apt install sudo; echo '${target.split("@")[0]} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/hearth`,
        );
    }
    if (/refused|timed out|No route|unreachable|resolve hostname|closed|reset/i.test(stderr)) {
        return fatal(
            `not reachable: ${stderr.trim().split("\n").pop()}`,
            "see whether it is on, and its sshd listens at this address and port",
        );
    }
    return fatal(stderr.trim().split("\n").pop() || "the session ended without a word", `try: ssh ${target}`);
}

/**
 * What the nodes have to say together. A cluster is started by the first server: when others are in it already and the
 * first is not, it would start a second one. Before the cluster is there, nobody may have the address that its servers
 * will hold among themselves.
 */
export function clusterFindings(
    nodes: readonly (Pick<Look, "isMember" | "taken"> & { readonly name: string; readonly role: "server" | "agent" })[],
): Finding[] {
    const first = nodes.find(({ role }) => role === "server");
    const member = nodes.find(({ role, isMember }) => role === "server" && isMember);
    const neighbor = nodes.find(({ taken }) => taken !== undefined);
    const fatal = (node: string, what: string, advice: string): Finding[] => [{ node, level: "fatal", what, advice }];
    if (first && member && first !== member) {
        return fatal(
            first.name,
            `is the first server, and not in the cluster that ${member.name} is in`,
            `put ${member.name} before it in hearth:nodes: the first one starts the cluster, the others join`,
        );
    }
    return neighbor && !member
        ? fatal(
              neighbor.name,
              `somebody has the address ${neighbor.taken} already`,
              "choose a free one for hearth:api.address; if a load balancer of yours has it, remove hearth:api.virtual",
          )
        : [];
}

/** The findings as one table: what is wrong first. */
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
