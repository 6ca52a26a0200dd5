import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { specialSecretSig, specialSigKey, unknownValue } from "@pulumi/pulumi/runtime/rpc";
import { CommandProvider } from "../../sandbox/plugins/command/provider";
import { sshArguments } from "../../sandbox/plugins/command/ssh";
import { type Properties, secret } from "../../sandbox/plugins/properties";

const shown: string[] = [];
const provider = new CommandProvider("1.2.1", (_, line) => shown.push(line));
const local = "urn:pulumi:sandbox::hearth::hearth:components:Tier$command:local:Command::job";
const remote = "urn:pulumi:sandbox::hearth::command:remote:Command::node-k3s";
let folder = "";

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-test-"));
    shown.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const connection = {
    host: "10.0.0.1",
    port: 2222,
    user: "admin",
    hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
    privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n",
    dialErrorLimit: 8,
    perDialTimeout: 10,
};
const remoteInputs = { connection: secret(connection), create: "true", addPreviousOutputInEnv: false };

describe("a local command", () => {
    test("reads its standard input, and keeps its output without the last line break", async () => {
        const { id, outs } = await provider.create(local, { create: "cat; echo oops >&2", stdin: "a\nb\n" });
        expect(id).toMatch(/^job[0-9a-f]{8}$/);
        expect(outs).toMatchObject({ stdout: "a\nb", stderr: "oops" });
        expect(shown.sort()).toEqual(["a", "b", "oops"]);
    });

    test("has its own variables in addition to the plugin's", async () => {
        const { outs } = await provider.create(local, { create: 'echo "$A $HOME"', environment: { A: "x" } });
        expect(outs["stdout"]).toBe(`x ${process.env["HOME"]}`);
    });

    test.each([
        ["none", []],
        ["stdout", ["out"]],
        ["stderr", ["err"]],
        ["stdoutAndStderr", ["err", "out"]],
    ])("with logging %s shows %j", async (logging, expected) => {
        await provider.create(local, { create: "echo out; echo err >&2", logging });
        expect(shown.sort()).toEqual(expected);
    });

    test("that fails is an error with its command and its output", async () => {
        await expect(provider.create(local, { create: "echo why; exit 3" })).rejects.toThrow(
            'exit status 3: running "echo why; exit 3":\nwhy\n',
        );
    });

    test("with a secret input has secret outputs", async () => {
        const { outs } = await provider.create(local, { create: "cat", stdin: secret("x") });
        expect(outs["stdout"]).toEqual({ [specialSigKey]: specialSecretSig, value: "x" });
    });

    test("reruns on an update, and ends when the run is canceled", async () => {
        const once = new CommandProvider("1.2.1", () => {});
        expect((await once.update("id", local, {}, { create: "echo new" })).outs).toMatchObject({ stdout: "new" });
        const running = once.create(local, { create: "exec sleep 600" });
        await once.cancel();
        await expect(running).rejects.toThrow("signal: kill");
    });
});

describe("inputs", () => {
    test.each<[string, string, Properties, string, string]>([
        ["no connection", remote, { ...remoteInputs, connection: undefined }, "connection", "expected object"],
        [
            "a misspelled field of a connection",
            remote,
            { ...remoteInputs, connection: secret({ ...connection, privatKey: "-----BEGIN" }) },
            "connection",
            'Unrecognized key: "privatKey"',
        ],
        ["a number where text belongs", local, { create: 1 }, "create", "expected string"],
        ["a field that the program does not use", local, { create: "x", dir: "/" }, "", 'Unrecognized key: "dir"'],
        ["a logging that does not exist", local, { create: "x", logging: "all" }, "logging", '"stdoutAndStderr"'],
    ])("rejects %s, without a value in the message", async (_, urn, news, property, reason) => {
        const given = Object.fromEntries(Object.entries(news).filter(([, value]) => value !== undefined));
        const { failures = [] } = await provider.check(urn, {}, given);
        expect(failures).toEqual([{ property, reason: expect.stringContaining(reason) }]);
        expect(JSON.stringify(failures)).not.toContain("BEGIN");
    });

    test("accepts outputs, known or not", async () => {
        for (const news of [remoteInputs, { ...remoteInputs, connection: unknownValue }]) {
            expect((await provider.check(remote, {}, news)).failures ?? []).toEqual([]);
        }
    });

    test("with a value of another type names it", async () => {
        const copy = remote.replace("remote:Command", "remote:CopyToRemote");
        await expect(provider.check(copy, {}, {})).rejects.toThrow("has no command:remote:CopyToRemote");
    });
});

describe("ssh", () => {
    /** Effective options of ssh, as it prints them. */
    const effective = (more: Partial<typeof connection>) =>
        execFileSync("ssh", ["-G", ...sshArguments({ ...connection, ...more }, folder), "pulumi-target"], {
            encoding: "utf8",
        });

    // OpenSSH 8.8 and newer do not sign with ssh-rsa. The official plugin offers only the pinned type, and fails.
    test.each(["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])(
        "accepts only the pinned key, and offers exactly its type: %s",
        (type) => {
            const options = effective({ hostKey: `10.0.0.1 ${type} AAAAC3Nz root@node` });
            expect(options).toContain(`\nhostkeyalgorithms ${type}\n`);
            expect(options).toContain("\nstricthostkeychecking true\n");
            expect(readFileSync(join(folder, "pulumi-target-known-hosts"), "utf8")).toBe(
                `pulumi-target ${type} AAAAC3Nz\n`,
            );
        },
    );

    test("authenticates to the host with the program's key only", () => {
        const options = effective({});
        for (const line of [
            "hostname 10.0.0.1",
            "port 2222",
            "user admin",
            "connecttimeout 10",
            "identitiesonly yes",
            "identityagent none",
            `identityfile ${join(folder, "pulumi-target-key")}`,
        ]) {
            expect(options).toContain(`\n${line}\n`);
        }
        expect(statSync(join(folder, "pulumi-target-key")).mode & 0o077).toBe(0);
        expect(options).not.toContain("hunter2");
    });

    test.each([
        [{ hostKey: "ssh-ed25519" }, "failed to parse host key"],
        [{ hostKey: "SHA256:abc" }, "failed to parse host key"],
        [{ privateKey: "secret" }, "ssh: no key found"],
    ])("refuses %j", (more, message) => {
        expect(() => effective(more)).toThrow(message);
    });

    test("stops after the configured number of dials, with the reason, and shows each attempt", async () => {
        const unreachable = { ...connection, host: "127.0.0.1", port: 1, dialErrorLimit: 2 };
        await expect(provider.create(remote, { ...remoteInputs, connection: secret(unreachable) })).rejects.toThrow(
            "after 2 failed attempts: dial tcp 127.0.0.1:1: connect: connection refused",
        );
        expect(shown).toEqual(["Dial 1/2 failed: retrying", "Dial 2/2 failed: retrying"]);
    });
});
