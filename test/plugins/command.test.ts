import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseFiles, globToRegExp } from "../../sandbox/plugins/command/content";
import { CommandProvider } from "../../sandbox/plugins/command/provider";
import { dialError } from "../../sandbox/plugins/command/ssh";
import { parseHostKey, writeSshConfig } from "../../sandbox/plugins/command/ssh-config";
import { type Properties, Secret, unknown } from "../../sandbox/plugins/shared/values";

const shown: string[] = [];
const host = { log: () => {}, status: (_: string, __: string, message: string) => shown.push(message) };
const provider = new CommandProvider("1.2.1", host);
const local = { urn: "urn", type: "command:local:Command", name: "job" };
const remote = { ...local, type: "command:remote:Command" };
let folder = "";

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-test-"));
    shown.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const check = (resource: typeof local, news: Properties) =>
    provider.check({ ...resource, olds: undefined, news, randomSeed: new Uint8Array(), autonaming: undefined });
const create = (properties: Properties, preview = false) =>
    provider.create({ ...local, properties, timeout: 0, preview });

describe("local.Command", () => {
    test("runs, and keeps what it prints", async () => {
        const { id, properties } = await create({
            create: 'echo "$A"; cat; echo oops >&2',
            environment: { A: "x" },
            stdin: "in\n",
        });
        expect(id).toMatch(/^job[0-9a-f]{8}$/);
        expect(properties).toMatchObject({ stdout: "x\nin", stderr: "oops" });
        expect(shown.sort()).toEqual(["in", "oops", "x"]);
    });

    test.each<[string | undefined, string[]]>([
        ["none", []],
        ["stdout", ["out"]],
        ["stderr", ["err"]],
        ["stdoutAndStderr", ["err", "out"]],
        [undefined, ["err", "out"]],
    ])("logging %s shows %j", async (logging, expected) => {
        await create({ create: "echo out; echo err >&2", ...(logging === undefined ? {} : { logging }) });
        expect(shown.sort()).toEqual(expected);
    });

    test("a command that fails is an error with what it printed", async () => {
        await expect(create({ create: "echo why; exit 3" })).rejects.toThrow(
            'exit status 3: running "echo why; exit 3":\nwhy\n',
        );
    });

    test("dir and interpreter", async () => {
        const { properties } = await create({
            create: "console.log(process.cwd())",
            dir: folder,
            interpreter: ["node", "-e"],
        });
        expect(properties["stdout"]).toBe(folder);
    });

    test("secret inputs make secret outputs", async () => {
        const { properties } = await create({ create: "echo $A", environment: { A: new Secret("x") } });
        expect(properties["stdout"]).toEqual(new Secret("x"));
    });

    test("an update sees the output of the run before; without update, create runs again", async () => {
        const update = (news: Properties) =>
            provider.update({
                ...local,
                id: "x",
                olds: { ...news, stdout: "before", stderr: "" },
                oldInputs: {},
                news,
                timeout: 0,
                preview: false,
                ignoreChanges: [],
            });
        const print = "echo was $PULUMI_COMMAND_STDOUT";
        expect(await update({ create: "false", update: print })).toMatchObject({ stdout: "was before" });
        expect(await update({ create: print })).toMatchObject({ stdout: "was before" });
        expect(await update({ create: print, addPreviousOutputInEnv: false })).toMatchObject({ stdout: "was" });
    });

    test("delete runs its command", async () => {
        const file = join(folder, "deleted");
        const properties = { delete: `echo $PULUMI_COMMAND_STDOUT > ${file}`, stdout: "made", stderr: "" };
        await provider.delete({ ...local, id: "x", properties, oldInputs: {}, timeout: 0 });
        expect(readFileSync(file, "utf8")).toBe("made\n");
    });

    test("a preview runs nothing", async () => {
        const { properties } = await create({ create: `touch ${folder}/ran` }, true);
        expect(properties["stdout"]).toBe(unknown);
        expect(() => statSync(join(folder, "ran"))).toThrow();
    });

    test.each<[string, Properties, Properties, boolean, readonly string[]]>([
        ["nothing", { create: "a" }, { create: "a" }, false, []],
        ["the command", { create: "a" }, { create: "b" }, true, []],
        ["a trigger", { triggers: [1] }, { triggers: [2] }, true, ["triggers[0]"]],
        ["a new trigger", {}, { triggers: [2] }, true, ["triggers"]],
    ])("a change of %s", async (_, oldInputs, news, changes, replaces) => {
        const request = { ...local, id: "x", olds: { ...oldInputs, stdout: "" }, oldInputs, news, ignoreChanges: [] };
        expect(await provider.diff(request)).toMatchObject({ changes, replaces });
    });
});

describe("inputs are checked", () => {
    test("defaults of a connection, which is secret as a whole", async () => {
        const { inputs, failures } = await check(remote, { connection: { host: "h", privateKey: "k" } });
        expect(failures).toEqual([]);
        expect(inputs["connection"]).toEqual(
            new Secret({
                host: "h",
                user: "root",
                port: 22,
                dialErrorLimit: 10,
                perDialTimeout: 15,
                privateKey: new Secret("k"),
            }),
        );
    });

    test.each<[string, Properties, string, string]>([
        ["no connection", {}, "connection", "Missing required field 'connection' on 'remote.CommandInputs'"],
        ["no host", { connection: {} }, "connection.host", "Missing required field 'host' on 'connection'"],
        [
            "a misspelt field",
            { connection: { host: "h", privatKey: "-----BEGIN" } },
            "connection.privatKey",
            "Unrecognized field 'privatKey' on 'connection'",
        ],
        ["a wrong type", { connection: { host: 1 } }, "connection.host", "Field 'host' must be a 'string'"],
        [
            "a wrong logging",
            { connection: { host: "h" }, logging: "all" },
            "logging",
            "Field 'logging' must be one of stdout, stderr, stdoutAndStderr, none",
        ],
    ])("%s", async (_, news, property, reason) => {
        const { failures } = await check(remote, news);
        expect(failures).toEqual([{ property, reason }]);
    });

    test("what is not known yet is accepted", async () => {
        expect((await check(remote, { connection: unknown })).failures).toEqual([]);
    });

    test("an unknown type is named", async () => {
        await expect(check({ ...local, type: "command:local:Nope" }, {})).rejects.toThrow("command:local:Nope");
    });
});

describe("ssh", () => {
    const key = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    test.each([[`ssh-ed25519 ${key}`], [`ssh-ed25519 ${key} root@node`], [`node,10.0.0.1 ssh-ed25519 ${key}`]])(
        "host key %s",
        (text) => {
            expect(parseHostKey(text)).toEqual({ type: "ssh-ed25519", key });
        },
    );

    test.each(["", "ssh-ed25519", key, "SHA256:abc"])("host key %j is refused", (text) => {
        expect(() => parseHostKey(text)).toThrow("failed to parse host key: ssh: no key found");
    });

    const connection: Properties = {
        host: "10.0.0.1",
        port: 2222,
        user: "admin",
        perDialTimeout: 7,
        privateKey: "-----BEGIN KEY-----",
        password: "hunter2",
    };
    const configOf = (more: Properties, variables = {}) =>
        readFileSync(writeSshConfig({ ...connection, ...more }, undefined, folder, variables).config, "utf8");

    test("a host key is checked, and nothing else is accepted", () => {
        const config = configOf({ hostKey: `ssh-ed25519 ${key}` });
        expect(config).toContain("StrictHostKeyChecking yes");
        expect(config).toContain("HostKeyAlgorithms ssh-ed25519");
        expect(readFileSync(join(folder, "pulumi-target.known-hosts"), "utf8")).toBe(
            `pulumi-target ssh-ed25519 ${key}\n`,
        );
    });

    test("without a host key none is checked", () => {
        expect(configOf({})).toContain("StrictHostKeyChecking no");
    });

    test("keys and passwords are in files that only this user can read, not in the configuration", () => {
        const config = configOf({}, { TOKEN: 'a "b"' });
        expect(config).not.toContain("BEGIN KEY");
        expect(config).not.toContain("hunter2");
        expect(config).toContain('SetEnv "TOKEN=a \\"b\\""');
        for (const file of ["config", "pulumi-target.key", "pulumi-target.password"]) {
            expect(statSync(join(folder, file)).mode & 0o077).toBe(0);
        }
    });

    test("what is no key is refused", () => {
        expect(() => configOf({ privateKey: "secret" })).toThrow("ssh: no key found");
    });

    test.each([
        ["Host key verification failed.", "ssh: handshake failed: ssh: host key mismatch"],
        ["root@h: Permission denied (publickey).", "unable to authenticate"],
        ["ssh: connect to host h port 22: Connection refused", "dial tcp h:22: connect: connection refused"],
        ["ssh: connect to host h port 22: Connection timed out", "dial tcp h:22: i/o timeout"],
        ["ssh: Could not resolve hostname h: Name or service not known", "dial tcp: lookup h: no such host"],
    ])("%s", (stderr, expected) => {
        expect(dialError(stderr, { host: "h", port: 22 })).toContain(expected);
    });
});

describe("asset patterns", () => {
    test.each<[string, string, boolean]>([
        ["*.js", "a.js", true],
        ["*.js", "src/a.js", false],
        ["**.js", "src/a.js", true],
        ["src/**", "src/deep/a", true],
        ["a?.txt", "ab.txt", true],
        ["{a,b}.txt", "b.txt", true],
        ["[!a].txt", "a.txt", false],
        ["a.txt", "axtxt", false],
    ])("%s matches %s: %s", (glob, path, expected) => {
        expect(globToRegExp(glob).test(path)).toBe(expected);
    });

    test("later rules go over earlier ones", () => {
        mkdirSync(join(folder, "src"));
        for (const file of ["src/index.js", "src/secret.js", "readme.md"]) {
            writeFileSync(join(folder, file), "x");
        }
        expect(Object.keys(chooseFiles(folder, ["src/**.js", "!**secret.*"]))).toEqual(["src/index.js"]);
    });
});
