import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { shellQuote } from "../../lib/shell";
import { asRoot, ssh } from "../../lib/ssh";
import type { PreflightInput, PreflightNode } from "../preflight";
import { clusterFindings, connectionFinding, formatFindings, type Look, parseFindings } from "./findings";

/** Seconds for one node's inspection. */
const limit = 60;

/** Runs the script on one host, and reads its findings. */
async function look(node: PreflightNode, { ssh: login, cluster, script }: PreflightInput): Promise<Look> {
    const now = String(Math.round(Date.now() / 1_000));
    const variables = Object.entries({ ...node.input, node: node.name, cluster, now });
    const { code, stdout, stderr } = await ssh(node, [asRoot("look")], {
        ...login,
        input: variables.map(([name, value]) => `${name}=${shellQuote(value)}\n`).join("") + script,
        timeout: limit * 1_000,
    });
    return code === 0
        ? parseFindings(node.name, stdout)
        : {
              findings: [connectionFinding(node.name, `${node.user}@${node.address}`, stderr)],
              isMember: false,
              peers: [],
              disks: [],
          };
}

/** Reports whether something listens at a path. */
const answers = (path: string) =>
    new Promise<boolean>((resolve) => {
        const socket = connect(path, () => {
            socket.destroy();
            resolve(true);
        });
        socket.on("error", () => resolve(false));
    });

/**
 * Pulumi's plugin for commands contacts the agent at SSH_AUTH_SOCK even if it has a key, and fails if none answers
 * (pulumi-command v1.2.1, provider/pkg/provider/remote/connection.go).
 */
async function agentProblem({ agent }: PreflightInput["ssh"], socket = ""): Promise<string | undefined> {
    if (socket === "") {
        return agent
            ? 'hearth:ssh.agent needs an SSH agent, and SSH_AUTH_SOCK is not set: eval "$(ssh-agent)" && ssh-add'
            : undefined;
    }
    if (await answers(socket)) {
        return undefined;
    }
    return `no SSH agent answers at SSH_AUTH_SOCK (${socket}): ${agent ? 'eval "$(ssh-agent)" && ssh-add' : "unset SSH_AUTH_SOCK"}`;
}

/** Checks the nodes that standard input names, and prints a table; fails when one of them is not ready. */
async function main(): Promise<void> {
    const input = JSON.parse(await text(process.stdin)) as PreflightInput;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
        // A signal alone would leave the keys on disk.
        process.on(signal, () => process.exit(1));
    }

    const problem = await agentProblem(input.ssh, process.env["SSH_AUTH_SOCK"]);
    if (problem !== undefined) {
        process.stderr.write(`${problem}\n`);
        process.exit(1);
    }
    const looks = await Promise.all(input.nodes.map((node) => look(node, input)));
    const findings = [
        ...looks.flatMap((each) => each.findings),
        ...clusterFindings(
            input.nodes.map(({ name, role }, index) => ({
                ...{ name, role, isMember: false, peers: [], disks: [] },
                ...looks[index],
            })),
        ),
    ];
    const isFatal = findings.some(({ level }) => level === "fatal");
    const table = formatFindings(findings);
    if (isFatal) {
        process.stderr.write(`The nodes are not ready, and none was changed:\n${table}\n`);
        process.exit(1);
    }
    process.stdout.write(`${table}\n`);
}

main();
