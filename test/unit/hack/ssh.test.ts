import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { type SshTarget, ssh } from "../../../lib/ssh";
import { sshArguments } from "../../../sandbox/plugins/command/ssh";

const sshd = "/usr/sbin/sshd";
const { username } = userInfo();
/** The server needs the package openssh-server, and root for the ownership of its files. */
const perhaps = existsSync(sshd) && username === "root" ? describe : describe.skip;

const freePort = () =>
    new Promise<number>((resolve) => {
        const server = createServer().listen(0, "127.0.0.1", () => {
            const { port } = server.address() as { port: number };
            server.close(() => resolve(port));
        });
    });

perhaps("a host behind a jump host", () => {
    const folder = mkdtempSync(join(tmpdir(), "hearth-jump-"));
    const servers: ChildProcess[] = [];
    const key = (name: string) => {
        execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, name)]);
        return readFileSync(join(folder, `${name}.pub`), "utf8").trim();
    };
    let node: SshTarget;
    let jumpHost: SshTarget;
    let privateKey: string;

    /** An sshd; a jump host has to allow forwarding. */
    async function start(name: string, forwards: "yes" | "no"): Promise<SshTarget> {
        const hostKey = key(name);
        const port = await freePort();
        const settings = {
            ...{ ListenAddress: `127.0.0.1:${port}`, HostKey: join(folder, name), PidFile: "none", UsePAM: "no" },
            ...{ AuthorizedKeysFile: join(folder, "client.pub"), StrictModes: "no", AllowTcpForwarding: forwards },
        };
        const file = join(folder, `${name}.conf`);
        writeFileSync(
            file,
            Object.entries(settings)
                .map((pair) => `${pair.join(" ")}\n`)
                .join(""),
        );
        const server = spawn(sshd, ["-D", "-e", "-f", file], { stdio: ["ignore", "ignore", "pipe"] });
        servers.push(server);
        await new Promise<void>((resolve) => server.stderr.on("data", (line) => /listening/.test(line) && resolve()));
        return { address: "127.0.0.1", port, user: username, hostKey };
    }

    beforeAll(async () => {
        key("client");
        privateKey = readFileSync(join(folder, "client"), "utf8");
        execFileSync("mkdir", ["-p", "/run/sshd"]);
        node = await start("node", "no");
        jumpHost = await start("jump", "yes");
    });

    afterAll(() => {
        for (const server of servers) {
            server.kill();
        }
        rmSync(folder, { recursive: true });
    });

    test("runs commands, and passes their input", async () => {
        const { code, stdout, stderr } = await ssh(node, ["cat"], { input: "words", privateKey, jumpHost });
        expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "words", stderr: "" });
    });

    test("is not reached through a jump host that has another key", async () => {
        const other = { ...jumpHost, hostKey: node.hostKey };
        const { code, stderr } = await ssh(node, ["true"], { input: "", privateKey, jumpHost: other });
        expect(code).toBe(255);
        expect(stderr).toMatch(/Host key verification failed|no matching host key/);
    });

    test("is reached by the plugin's stand-in, too", () => {
        const { address: host, ...rest } = node;
        const { address, ...proxy } = jumpHost;
        const dials = { dialErrorLimit: 1, perDialTimeout: 10 };
        const connection = {
            ...{ host, ...rest, privateKey, ...dials },
            proxy: { host: address, ...proxy, privateKey, ...dials },
        };
        const args = sshArguments(connection, folder);
        expect(execFileSync("ssh", [...args, "pulumi-target", "echo reached"], { encoding: "utf8" })).toBe("reached\n");
    });

    test("accepts an SSH agent when the config has no key", async () => {
        const socket = join(folder, "agent");
        const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "ignore"] });
        servers.push(agent);
        await new Promise((resolve) => agent.stdout.once("data", resolve));
        const before = process.env["SSH_AUTH_SOCK"];
        process.env["SSH_AUTH_SOCK"] = socket;
        try {
            const refused = await ssh(node, ["true"], { input: "", agent: true, jumpHost });
            execFileSync("ssh-add", ["-q", join(folder, "client")], { env: { SSH_AUTH_SOCK: socket } });
            const { code, stdout } = await ssh(node, ["echo", "hello"], { input: "", agent: true, jumpHost });
            expect([refused.code, code, stdout]).toEqual([255, 0, "hello\n"]);
        } finally {
            process.env["SSH_AUTH_SOCK"] = before;
        }
    });
});
