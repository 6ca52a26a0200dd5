import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../lib/failure";
import { cacheDirectory, findOnPath } from "../../lib/paths";
import { run } from "../../lib/run";
import type { Package } from "./layer";

const directory = join(cacheDirectory, "packages");

/** Packages that are only needed by packages' scripts, none of which runs, and programs that no image calls. */
const unneeded = [
    ...["adduser", "debconf", "dpkg", "init-system-helpers", "lsb-base", "passwd", "sensible-utils", "sysvinit-utils"],
    ...["ucf", "usrmerge", "ssl-cert", "postgresql-common", "postgresql-client-common", "locales", "libc-l10n"],
    ...["perl", "perl-base", "perl-modules-5.36", "libperl5.36", "libjson-perl", "liberror-perl", "git-man"],
    ...["libfile-find-rule-perl", "libnumber-compare-perl", "libtext-glob-perl", "libgdbm-compat4", "daemon"],
    ...["libsemanage-common", "libsemanage2", "libsepol2", "libpam-modules", "libpam-modules-bin", "pinentry-curses"],
    // PostgreSQL's compiler of expressions: 100 MB that it loads when a query is expensive enough.
    ...["libllvm14", "libz3-4"],
];

/** Folder with the downloaded packages. */
const archives = join(directory, "archives");

/** An apt that only downloads, into a folder, without changing this machine's own state. */
async function apt(into: string, ...args: string[]): Promise<{ exitCode: number; output: string }> {
    const status = join(directory, "status");
    mkdirSync(join(into, "partial"), { recursive: true });
    if (!existsSync(status)) {
        writeFileSync(status, "");
    }
    const options = {
        "Dir::State::status": status,
        "Dir::State::extended_states": join(directory, "extended_states"),
        "Dir::Cache::archives": into,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
    };
    return run("apt-get", [...Object.entries(options).map(([name, value]) => `--option=${name}=${value}`), ...args], {
        env: { ...process.env, LC_ALL: "C" },
        timeout: 300_000,
    });
}

/**
 * Debian packages with all their dependencies, downloaded once; apt has checked their signatures.
 *
 * @throws Failure if there is no apt, or it cannot download them
 */
export function debianPackages(names: readonly string[]): Promise<Package[]> {
    const key = names.join(" ");
    const found = known.get(key) ?? download(names);
    known.set(key, found);
    return found;
}

const known = new Map<string, Promise<Package[]>>();

async function download(names: readonly string[]): Promise<Package[]> {
    if (!findOnPath("apt-get") || !findOnPath("dpkg-deb")) {
        throw new Failure(
            "images are built from Debian's packages: this needs Debian or Ubuntu, with apt-get and dpkg-deb",
        );
    }
    // apt lists its downloads: with an empty folder, all packages.
    const list = () => apt(join(directory, "empty"), "--print-uris", "--yes", "install", ...names);
    let { exitCode, output } = await list();
    if (exitCode !== 0) {
        await run("apt-get", ["update"], { timeout: 300_000 });
        ({ exitCode, output } = await list());
    }
    const files = [...output.matchAll(/^'.*' (\S+_\S+\.deb) \d+/gm)].map((match) => match[1] ?? "");
    const missing = () => files.filter((file) => !existsSync(join(archives, file)));
    if (exitCode === 0 && missing().length > 0) {
        ({ exitCode, output } = await apt(archives, "--download-only", "--yes", "install", ...names));
    }
    if (exitCode !== 0 || files.length === 0 || missing().length > 0) {
        const last = output.trim().split("\n").at(-1) ?? "";
        throw new Failure(`apt-get cannot download ${names.join(", ")}: ${last}`);
    }
    return files
        .filter((file) => !unneeded.includes(file.replace(/_.*/, "")))
        .map((file) => ({ package: join(archives, file) }));
}

/** Version of a package among some, without epoch and Debian's revision. */
export function packagedVersion(packages: readonly Package[], name: string): string {
    const file = packages.map((each) => each.package.replace(/.*\//, "")).find((each) => each.startsWith(`${name}_`));
    if (file === undefined) {
        throw new Error(`no package ${name}`);
    }
    return decodeURIComponent(file.split("_")[1] ?? "")
        .replace(/^\d+:/, "")
        .replace(/-[^-]*$/, "");
}
