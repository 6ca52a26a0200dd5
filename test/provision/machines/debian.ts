import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { withLock } from "../../../lib/lock";
import { cacheDirectory, findOnPath } from "../../../lib/paths";
import { run } from "../../../lib/run";
import { aptGetInstall } from "../../../toolchain/apt-get";

const cache = join(cacheDirectory, "provision");

/** Folder with the packages of the roots. */
export const packageCache = join(cache, "debs");

/** Milliseconds for a root: some hundred packages, possibly from a slow mirror, on a busy host. */
const limit = 1_800_000;

/**
 * Packages of an installed machine with an SSH server, and those that the scripts install: nothing is downloaded later.
 */
const packages = [
    ...["ca-certificates", "curl", "dbus", "iproute2", "iputils-ping", "kmod", "netbase", "openssh-server"],
    ...["procps", "python3", "sudo", "systemd-sysv", "udev"],
    ...["apparmor", "iptables", "keepalived", "nfs-common", "nftables", "open-iscsi", "unattended-upgrades"],
];

/** The release of Debian that the machines get: HEARTH_DEBIAN, this machine's own, or the oldest that is supported. */
function release(): string {
    const chosen = process.env["HEARTH_DEBIAN"];
    if (chosen) {
        return chosen;
    }
    const system = parseEnv(readFileSync("/etc/os-release", "utf8"));
    return (system["ID"] === "debian" && system["VERSION_CODENAME"]) || "bookworm";
}

/** The mirror from which this machine's own apt has that release; undefined where it has another system. */
async function mirror(codename: string): Promise<string | undefined> {
    const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
    const { output } = await run("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
    const sources = output.split("\n").map((line) => line.split(" "));
    return sources.find(([, suite, component]) => suite === codename && component === "main")?.[0];
}

/**
 * A folder with a Debian root: systemd, sshd, sudo and what the scripts install. It is built once, from the mirror of
 * this machine's apt, and kept in the user's cache; callers copy it or mount an overlay on it.
 *
 * @param extra packages in addition to the usual ones
 * @throws Failure where debootstrap is missing and cannot be installed from here
 */
export async function debianRoot(extra: readonly string[] = []): Promise<string> {
    const codename = release();
    const include = [...packages, ...extra].sort().join(",");
    const name = `debian-${codename}-${createHash("sha256").update(include).digest("hex").slice(0, 12)}`;
    const root = join(cache, name);
    // The rename marks a complete root; two suites may build the same one at once.
    await withLock(
        join(cache, `${name}.lock`),
        () => undefined,
        async () => {
            if (!existsSync(root)) {
                await build(root, codename, include);
            }
        },
    );
    return root;
}

async function build(root: string, codename: string, include: string): Promise<void> {
    if (!findOnPath("debootstrap")) {
        const howToGetIt =
            "The machines of the tests are Debian roots: install debootstrap and debian-archive-keyring.";
        await aptGetInstall("debootstrap", howToGetIt, ["debootstrap", "debian-archive-keyring"]);
    }
    const unfinished = `${root}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(packageCache, { recursive: true });
    const from = await mirror(codename);
    // In a separate mount namespace, so that its mounts in the root always end with it.
    const { exitCode, output } = await run(
        "unshare",
        [
            ...["--mount", "debootstrap"],
            ...["--variant=minbase", `--include=${include}`, `--cache-dir=${packageCache}`, codename, unfinished],
            ...(from === undefined ? [] : [from]),
        ],
        { timeout: limit },
    );
    if (exitCode !== 0) {
        throw new Error(`debootstrap exited with ${exitCode}:\n${output.slice(-4_000)}`);
    }
    rmSync(join(unfinished, "var/cache/apt/archives"), { recursive: true });
    mkdirSync(join(unfinished, "var/cache/apt/archives/partial"), { recursive: true });
    renameSync(unfinished, root);
}
