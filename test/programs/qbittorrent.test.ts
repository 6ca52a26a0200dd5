import { execFileSync } from "node:child_process";
import { pbkdf2Sync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const script = join(__dirname, "../../charts/qbittorrent/config/login.py");
const directory = mkdtempSync(join(tmpdir(), "hearth-qbittorrent-"));
const file = join(directory, "qBittorrent/qBittorrent.conf");

/**
 * The part of the image's initial configuration about the web page: apps/qbittorrent/defaults of
 * home-operations/containers.
 */
const open = String.raw`[BitTorrent]
Session\Port=50413

[Preferences]
General\Locale=en
WebUI\AuthSubnetWhitelist=10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16
WebUI\AuthSubnetWhitelistEnabled=true
WebUI\CSRFProtection=false
WebUI\LocalHostAuth=false
`;

/** Runs the chart's init container, a Python script. */
function close(password = "secret"): string {
    execFileSync("python3", [script, directory], { env: { PATH: process.env["PATH"], ADMIN_PASSWORD: password } });
    return readFileSync(file, "utf8");
}

beforeEach(() => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, open);
});

afterAll(() => rmSync(directory, { recursive: true }));

test("requires a login from every client, including the addresses of the ingress controller", () => {
    const text = close();

    expect(text).toContain(String.raw`WebUI\AuthSubnetWhitelistEnabled=false`);
    expect(text).toContain(String.raw`WebUI\LocalHostAuth=true`);
    expect(text).toContain(String.raw`WebUI\CSRFProtection=true`);
    expect(text).toContain(String.raw`Session\Port=50413`);
    expect(text).toContain(String.raw`General\Locale=en`);
});

test("the initial password is the Secret's, in the form that qBittorrent stores", () => {
    const [, salt = "", key] = /Password_PBKDF2="@ByteArray\((.+):(.+)\)"/.exec(close("secret")) ?? [];

    // https://github.com/qbittorrent/qBittorrent src/base/utils/password.cpp
    expect(pbkdf2Sync("secret", Buffer.from(salt, "base64"), 100_000, 64, "sha512").toString("base64")).toBe(key);
    expect(readFileSync(file, "utf8")).toContain(String.raw`WebUI\Username=admin`);
});

test("a password that a user has set stays, and a second start changes nothing", () => {
    writeFileSync(file, `${open}WebUI\\Password_PBKDF2="@ByteArray(mine)"\nWebUI\\Username=me\n`);
    const first = close();

    expect(first).toContain(String.raw`WebUI\Password_PBKDF2="@ByteArray(mine)"`);
    expect(first).toContain(String.raw`WebUI\Username=me`);
    expect(close()).toBe(first);
});
