import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { shellQuote } from "../../lib/shell";
import type { PreflightInput, PreflightNode } from "../preflight";
import { clusterFindings, connectionFinding, formatFindings, type Look, parseFindings } from "./findings";

/** Seconds for one node to answer everything. */
const limit = 60;

/** Runs the script on one node by OpenSSH's client, in a folder with the keys, and reads what it found. */
async function look(node: PreflightNode, { cluster, script }: PreflightInput, folder: string): Promise<Look> {
    const known = join(folder, `${node.name}.known-hosts`);
    const [type = "", key = ""] = node.hostKey.split(" ");
    writeFileSync(known, `${node.name} ${type} ${key}\n`, { mode: 0o600 });
    const options = {
        BatchMode: "yes",
        ConnectTimeout: "10",
        GlobalKnownHostsFile: "/dev/null",
        HostKeyAlgorithms: type === "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : type,
        HostKeyAlias: node.name,
        IdentitiesOnly: "yes",
        IdentityAgent: "none",
        IdentityFile: join(folder, "key"),
        LogLevel: "ERROR",
        Port: String(node.port),
        StrictHostKeyChecking: "yes",
        UserKnownHostsFile: known,
    };
    const target = `${node.user}@${node.address}`;
    const child = spawn(
        "ssh",
        [
            ...["-F", "none", "-T"],
            ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
            target,
            'if [ "$(id -u)" = 0 ]; then exec bash -s look; else exec sudo -n bash -s look; fi',
        ],
        { stdio: ["pipe", "pipe", "pipe"], timeout: limit * 1_000 },
    );
    const now = String(Math.round(Date.now() / 1_000));
    const variables = Object.entries({ ...node.input, node: node.name, cluster, now });
    child.stdin.on("error", () => undefined); // ssh that ends early says why itself
    child.stdin.end(variables.map(([name, value]) => `${name}=${shellQuote(value)}\n`).join("") + script);
    const ended = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
    const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    return code === 0
        ? parseFindings(node.name, stdout)
        : { findings: [connectionFinding(node.name, target, stderr)], isMember: false };
}

/** Checks the nodes that standard input names, and prints a table; fails when one of them is not ready. */
async function main(): Promise<void> {
    const input = JSON.parse(await text(process.stdin)) as PreflightInput;
    const folder = mkdtempSync(join(tmpdir(), "hearth-preflight-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
        process.on(signal, () => process.exit(1));
    }
    writeFileSync(join(folder, "key"), `${input.privateKey.trim()}\n`, { mode: 0o600 });

    const looks = await Promise.all(input.nodes.map((node) => look(node, input, folder)));
    const findings = [
        ...looks.flatMap((each) => each.findings),
        ...clusterFindings(
            input.nodes.map(({ name, role }, index) => ({ name, role, isMember: false, ...looks[index] })),
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
