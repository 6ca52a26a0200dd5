import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeSettings } from "../../config/nodes";
import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { pause } from "../../lib/run";
import { asRoot, type SshLogin, ssh } from "../../lib/ssh";

/** Milliseconds for an answer of a node. */
const answerLimit = 30_000;

/** Seconds until a node is off. */
const offLimit = 300;

/** Messages of ssh about an unreachable host. */
const silence = /timed out|no route to host|host is down|unreachable/i;

/** Milliseconds for services to start again, images and databases included. */
const startLimit = 1_800_000;

const unit = "hearth-power-on.service";
const script = "/usr/local/sbin/hearth-power-on";

const installation = () => `set -eu
cat > ${script} <<'SCRIPT'
${readFileSync(join(root, "hack/shutdown/power-on.sh"), "utf8")}SCRIPT
chmod 755 ${script}
cat > /etc/systemd/system/${unit} <<'UNIT'
[Unit]
Description=Start the services that hack/power off stopped
After=k3s.service network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=${script}
TimeoutStartSec=infinity
Restart=on-failure
RestartSec=30

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --quiet ${unit}
sync
`;

/** Runs a script on a node as root. */
function runOn(node: NodeSettings, login: SshLogin, input: string, timeout = answerLimit) {
    return ssh(node, [asRoot("power")], { ...login, input, timeout });
}

/** Nodes that answer. */
export async function reachable(nodes: readonly NodeSettings[], login: SshLogin): Promise<NodeSettings[]> {
    const answers = await Promise.all(nodes.map(async (node) => (await runOn(node, login, "true\n")).code === 0));
    return nodes.filter((_, index) => answers[index]);
}

/** Prepares the servers to start the services when they are on again. @throws Failure when one cannot be prepared */
export async function installPowerOn(servers: readonly NodeSettings[], login: SshLogin): Promise<void> {
    await Promise.all(
        servers.map(async (node) => {
            const { code, stderr } = await runOn(node, login, installation());
            if (code !== 0) {
                throw new Failure(`${node.name} cannot be prepared for its next start: ${stderr.trim()}`);
            }
        }),
    );
}

/** Shuts a node down and waits until it is off. @returns an error as a sentence, if there is one */
async function shutDown(node: NodeSettings, login: SshLogin): Promise<string | undefined> {
    // The session ends with the system that it runs on; a signal of the shutdown may end it first.
    const { code, stderr } = await runOn(node, login, "systemctl poweroff\n");
    if (code !== null && code > 0 && code < 128) {
        return `${node.name} does not shut down: ${stderr.trim()}`;
    }
    // Its sshd ends first, and its ports refuse then: other nodes may still be needed, as an NFS server to unmount.
    for (const end = Date.now() + offLimit * 1_000; Date.now() < end; await pause(2_000)) {
        const answer = await runOn(node, login, "true\n");
        if (answer.code === null || (answer.code !== 0 && silence.test(answer.stderr))) {
            return undefined;
        }
    }
    return `${node.name} is still on ${offLimit} s after its shutdown began`;
}

/**
 * Shuts groups of nodes down, one after the other; a node that fails does not keep the others on.
 *
 * @throws Failure that names the nodes that are still on
 */
export async function shutDownNodes(
    groups: readonly (readonly NodeSettings[])[],
    login: SshLogin,
    report: (line: string) => void,
): Promise<void> {
    const problems: string[] = [];
    for (const group of groups) {
        report(`shutting down ${group.map(({ name }) => name).join(", ")}`);
        const results = await Promise.all(group.map((node) => shutDown(node, login)));
        problems.push(...results.flatMap((each) => each ?? []));
    }
    if (problems.length > 0) {
        throw new Failure(problems.join("\n"));
    }
}

/**
 * Makes the first reachable server start the stopped services. @throws Failure when none is reachable, or when it fails
 */
export async function startServices(servers: readonly NodeSettings[], login: SshLogin): Promise<void> {
    const [server] = await reachable(servers, login);
    if (server === undefined) {
        throw new Failure(`no server answers: turn on ${servers.map(({ name }) => name).join(", ")} first`);
    }
    const start = `test -e ${script} || exit 3\nsystemctl start ${unit}\n`;
    const { code, stderr } = await runOn(server, login, start, startLimit);
    if (code === 3) {
        throw new Failure(`${server.name} has nothing to start: see \`hack/status\``);
    }
    if (code !== 0) {
        throw new Failure(`${server.name}: ${stderr.trim()}\nSee \`journalctl --unit ${unit}\` there`);
    }
}
