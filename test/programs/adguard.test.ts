import { execFileSync } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { freePorts } from "../../lib/ports";
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

/** A configuration for loopback, without upstream servers outside of this machine. */
function onLoopback(text: string, http: number, dns: number): string {
    return text
        .replace(/address: (0\.0\.0\.0|127\.0\.0\.1):\d+/, `address: 127.0.0.1:${http}`)
        .replace("- 0.0.0.0", "- 127.0.0.1")
        .replace(/^ {2}port: \d+$/m, `  port: ${dns}`)
        .replaceAll(/https:\/\/[^\s/]+/g, "https://127.0.0.1:1")
        .replaceAll(/^( +- )(9\.9\.9\.9|1\.1\.1\.1)$/gm, "$1127.0.0.1:1");
}

test("AdGuard Home accepts its initial configuration, and rejects a broken one", async () => {
    const check = async (text: string) => {
        writeFileSync(file, text);
        return runToEnd(tool("AdGuardHome"), ["--check-config", "--config", file, "--work-dir", directory]);
    };

    expect(await check(config)).toHaveEndedWith(0);
    expect((await check(config.replace(/schema_version: \d+/, "schema_version: 9999"))).code).not.toBe(0);
});

test("AdGuard Home knows every key of the configuration: it writes back the same values", async () => {
    const { http, dns } = await freePorts("http", "dns");
    const text = onLoopback(config, http, dns);
    writeFileSync(file, text);
    const adguard = new Program(tool("AdGuardHome"), ["--no-check-update", "--config", file, "--work-dir", directory]);
    try {
        // Its Go module does not contain the pages, but the API, which requires the password.
        await adguard.until(async () => (await fetch(`http://127.0.0.1:${http}/control/status`)).status === 401);
        // It rewrites its configuration after reading it.
        await adguard.until(async () => readFileSync(file, "utf8") !== text);
    } finally {
        await adguard.stop();
    }

    expect(parse(readFileSync(file, "utf8"))).toMatchObject(parse(text));
});

/** The volumes of its pod, with the initial configuration and an address for the home's names. */
class Pod {
    private readonly folder = mkdtempSync(join(directory, "pod-"));
    readonly written = join(this.folder, "conf/AdGuardHome.yaml");
    private hasStarted = false;

    constructor() {
        mkdirSync(join(this.folder, "conf"));
        mkdirSync(join(this.folder, "bin"));
        // Stands in for Apache's program, which prints the user and the hash.
        const program = `#!/bin/sh\ncat > /dev/null\necho 'admin:${hash}'\n`;
        writeFileSync(join(this.folder, "bin/htpasswd"), program, { mode: 0o755 });
    }

    /** Its init container. @param address Traefik's */
    async configure(address: string): Promise<void> {
        const workspace = new Workspace("helm4");
        try {
            const objects = await workspace.render("adguard", "--set", `global.addresses.traefik=${address}`);
            mkdirSync(join(this.folder, "seed"), { recursive: true });
            for (const name of ["AdGuardHome.yaml", "names", "names.awk"]) {
                writeFileSync(join(this.folder, "seed", name), configFile(objects, "adguard", name));
            }
            const script = configFile(objects, "adguard", "seed.sh")
                .replaceAll("/opt/adguardhome/conf", join(this.folder, "conf"))
                .replaceAll("/seed/", `${this.folder}/seed/`);
            const env = { PATH: `${this.folder}/bin:${process.env["PATH"]}`, ADMIN_PASSWORD: "secret" };
            execFileSync("sh", ["-c", script], { env });
        } finally {
            workspace.remove();
        }
    }

    /** Runs AdGuard, and queries names of the home. */
    async ask(...names: string[]): Promise<string[][]> {
        const { http, dns } = await freePorts("http", "dns");
        const text = onLoopback(readFileSync(this.written, "utf8"), http, dns);
        writeFileSync(this.written, text);
        const args = ["--no-check-update", "--config", this.written, "--work-dir", this.folder];
        const adguard = new Program(tool("AdGuardHome"), args);
        const resolver = new Resolver({ timeout: 2_000, tries: 1 });
        resolver.setServers([`127.0.0.1:${dns}`]);
        try {
            await adguard.until(async () => (await resolver.resolve4(names[0] ?? "")).length > 0);
            // At its first start it rewrites the configuration in its own form.
            await adguard.until(async () => this.hasStarted || readFileSync(this.written, "utf8") !== text);
            this.hasStarted = true;
            return await Promise.all(names.map((name) => resolver.resolve4(name)));
        } finally {
            await adguard.stop();
        }
    }
}

test("the first start writes the password's hash, and later starts change only the home's names", async () => {
    const pod = new Pod();
    await pod.configure("192.168.1.240");

    expect(parse(readFileSync(pod.written, "utf8")).users).toEqual([{ name: "admin", password: hash }]);
    writeFileSync(pod.written, "changed: by AdGuard Home\n");
    await pod.configure("192.168.1.241");
    expect(readFileSync(pod.written, "utf8")).toBe("changed: by AdGuard Home\n");
});

test("a client resolves a name of the home to Traefik's address, also after that address changes", async () => {
    const pod = new Pod();
    await pod.configure("192.168.1.240");
    const names = ["photos.home.arpa", "home.arpa", "deep.down.home.arpa"];

    expect(await pod.ask(...names)).toEqual([["192.168.1.240"], ["192.168.1.240"], ["192.168.1.240"]]);
    // AdGuard has rewritten the file in its own form since.
    await pod.configure("192.168.1.243");
    expect(await pod.ask(...names)).toEqual([["192.168.1.243"], ["192.168.1.243"], ["192.168.1.243"]]);
});

test("rewrites added in AdGuard's pages are kept, also for the home's own names", async () => {
    const pod = new Pod();
    await pod.configure("192.168.1.240");
    await pod.ask("photos.home.arpa");
    const settings = parse(readFileSync(pod.written, "utf8"));
    const own = [
        { domain: "nas.home.arpa", answer: "192.168.1.5", enabled: true },
        { domain: "home.arpa", answer: "192.168.1.6", enabled: true },
    ];
    const others = settings.filtering.rewrites.filter(({ domain }: { domain: string }) => domain !== "home.arpa");
    writeFileSync(
        pod.written,
        stringify({ ...settings, filtering: { ...settings.filtering, rewrites: [...others, ...own] } }),
    );
    await pod.configure("192.168.1.243");

    expect(await pod.ask("photos.home.arpa", "nas.home.arpa", "home.arpa")).toEqual([
        ["192.168.1.243"],
        ["192.168.1.5"],
        ["192.168.1.6"],
    ]);
});
