import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { freePort } from "../../lib/ports";
import { run } from "../../lib/run";
import { sshdProgram } from "../../toolchain/sshd";
import { Program } from "../programs/program";
import { targetFolder, Volume } from "./volume";

// restic derives a key in each call, which takes a busy machine seconds.
jest.setTimeout(300_000);

const directory = mkdtempSync(join(tmpdir(), "hearth-sftp-"));
/** Login: sshd needs no account of its own if it runs as that user. */
const isRoot = process.getuid?.() === 0;
const account = isRoot ? { uid: 65534, gid: 65534, name: "nobody" } : { ...userInfo(), name: userInfo().username };
let sshd: Program;
let port: number;

async function key(name: string): Promise<string> {
    const path = join(directory, name);
    const { exitCode, output } = await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
    expect([exitCode, output]).toEqual([0, ""]);
    chownSync(path, account.uid, account.gid);
    return readFileSync(`${path}.pub`, "utf8").split(" ").slice(0, 2).join(" ");
}

const hostKeys: Record<string, string> = {};

beforeAll(async () => {
    port = await freePort();
    mkdirSync(join(directory, "copies"));
    chmodSync(directory, 0o755);
    chownSync(join(directory, "copies"), account.uid, account.gid);
    hostKeys["own"] = await key("host");
    hostKeys["other"] = await key("other");
    writeFileSync(join(directory, "authorized_keys"), `${await key("user")}\n`);
    writeFileSync(
        join(directory, "config"),
        [
            `Port ${port}`,
            ...[
                "ListenAddress 127.0.0.1",
                `UsePAM ${isRoot ? "yes" : "no"}`,
                "StrictModes no",
                "PasswordAuthentication no",
            ],
            `HostKey ${join(directory, "host")}`,
            `AuthorizedKeysFile ${join(directory, "authorized_keys")}`,
            ...["PidFile none", "Subsystem sftp internal-sftp", "ForceCommand internal-sftp"],
        ].join("\n"),
    );
    sshd = new Program(sshdProgram(), ["-D", "-e", "-f", join(directory, "config")], {
        ...(isRoot ? { uid: account.uid, gid: account.gid } : {}),
    });
    await sshd.until(async () => sshd.output.includes("Server listening"));
});

afterAll(async () => {
    await sshd.stop();
    rmSync(directory, { recursive: true, force: true });
});

const backup = (hostKey: string) => ({
    target: `sftp://${account.name}@127.0.0.1:${port}/${join(directory, "copies")}`,
    sftp: { privateKey: readFileSync(join(directory, "user"), "utf8"), hostKey },
    password: "a password of the test",
});

test("writes copies to a folder over SFTP, and restores them", async () => {
    const notes = new Volume(targetFolder(backup(hostKeys["own"] ?? "")));
    notes.write("notes.md", "milk");
    const opened = await notes.run("repository");
    expect([opened.result?.ok, opened.output]).toEqual([true, opened.output]);
    expect((await notes.backup()).result).toMatchObject({ ok: true });

    const fresh = notes.replacement();
    expect((await fresh.run("prepare")).code).toBe(0);
    expect(fresh.content()).toEqual(notes.content());
    notes.remove();
    fresh.remove();
});

test("sends nothing to a server with another host key", async () => {
    const notes = new Volume(targetFolder(backup(hostKeys["other"] ?? "")));
    notes.write("notes.md", "milk");

    const { code, result } = await notes.run("repository");
    expect([code, result?.reason, result?.message]).toEqual([10, "unreachable", result?.message]);
    expect(result?.message).toContain("another SSH host key than hearth:backup.sftp.hostKey");
    notes.remove();
});
