import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { freePorts } from "../../sandbox/ports";
import { tool } from "../../toolchain/tools";
import { configFile } from "../charts/manifest";
import { exampleOf, Workspace } from "../charts/workspace";
import { Program, runToEnd } from "./program";

const hash = "$2y$05$JD9gmyIDvNzZa7Ll0G2PvOzcEfyvDG5wDBeoSGHcT.J9vUvBnYlZa";
const directory = mkdtempSync(join(tmpdir(), "hearth-adguard-"));
const file = join(directory, "AdGuardHome.yaml");
let config: string;

beforeAll(async () => {
    const workspace = new Workspace("helm4");
    try {
        config = configFile(
            await workspace.render("adguard", ...exampleOf("adguard")),
            "adguard",
            "AdGuardHome.yaml",
        ).replace("PASSWORD_HASH", hash);
    } finally {
        workspace.remove();
    }
});

afterAll(() => rmSync(directory, { recursive: true }));

test("AdGuard Home accepts its first configuration, and refuses a broken one", async () => {
    const check = async (text: string) => {
        writeFileSync(file, text);
        return runToEnd(tool("AdGuardHome"), ["--check-config", "--config", file, "--work-dir", directory]);
    };

    expect(await check(config)).toHaveEndedWith(0);
    expect((await check(config.replace(/schema_version: \d+/, "schema_version: 9999"))).code).not.toBe(0);
});

test("AdGuard Home knows every key of it: what it writes back says the same", async () => {
    const { http, dns } = await freePorts("http", "dns");
    const text = config
        .replace("0.0.0.0:3000", `127.0.0.1:${http}`)
        .replace("- 0.0.0.0", "- 127.0.0.1")
        .replace("port: 5353", `port: ${dns}`)
        // Nobody outside of this machine is asked.
        .replaceAll(/https:\/\/[^\s/]+/g, "https://127.0.0.1:1")
        .replaceAll(/^( +- )(9\.9\.9\.9|1\.1\.1\.1)$/gm, "$1127.0.0.1:1");
    writeFileSync(file, text);
    const adguard = new Program(tool("AdGuardHome"), ["--no-check-update", "--config", file, "--work-dir", directory]);
    try {
        // The pages are not in its Go module, but its API is, and lets nobody in without the password.
        await adguard.until(async () => (await fetch(`http://127.0.0.1:${http}/control/status`)).status === 401);
        // It writes its configuration anew when it has read it.
        await adguard.until(async () => readFileSync(file, "utf8") !== text);
    } finally {
        await adguard.stop();
    }

    expect(parse(readFileSync(file, "utf8"))).toMatchObject(parse(text));
});

test("the first start writes the password's hash, and a later one leaves the file alone", () => {
    const chart = join(__dirname, "../../charts/adguard/config");
    const [conf, seed, bin] = ["conf", "seed", "bin"].map((name) => join(directory, name)) as [string, string, string];
    for (const each of [conf, seed, bin]) {
        mkdirSync(each);
    }
    writeFileSync(join(seed, "AdGuardHome.yaml"), config.replace(hash, "PASSWORD_HASH"));
    // Stands in for Apache's program, which prints the user and the hash.
    writeFileSync(join(bin, "htpasswd"), `#!/bin/sh\ncat > /dev/null\necho 'admin:${hash}'\n`, { mode: 0o755 });
    const script = readFileSync(join(chart, "seed.sh"), "utf8")
        .replaceAll("/opt/adguardhome/conf", conf)
        .replaceAll("/seed/", `${seed}/`);
    const run = () =>
        execFileSync("sh", ["-c", script], {
            env: { PATH: `${bin}:${process.env["PATH"]}`, ADMIN_PASSWORD: "secret" },
        });
    run();
    const written = join(conf, "AdGuardHome.yaml");

    expect(parse(readFileSync(written, "utf8")).users).toEqual([{ name: "admin", password: hash }]);
    writeFileSync(written, "changed: by AdGuard Home\n");
    run();
    expect(readFileSync(written, "utf8")).toBe("changed: by AdGuard Home\n");
});
