import { existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Failure } from "../lib/failure";
import { findOnPath, isExecutable } from "../lib/paths";
import { aptGetInstall } from "./apt-get";

const howToGetIt =
    "The tests run the database chart's SQL in it. Install PostgreSQL (Debian, Ubuntu: `sudo apt-get install " +
    "postgresql`; Fedora: `sudo dnf install postgresql-server postgresql-contrib`; macOS: `brew install postgresql`), " +
    "and rerun it.";

/** Debian's folder for the programs of each release, which is not on PATH. */
const debian = "/usr/lib/postgresql";

/** Configuration that Debian's packages read before they create a database service. */
const debianSettings = "/etc/postgresql-common/createcluster.conf";

function findDirectory(): string | undefined {
    const releases = existsSync(debian) ? readdirSync(debian).sort((one, other) => Number(other) - Number(one)) : [];
    const onPath = findOnPath("initdb");
    return [
        ...releases.map((release) => join(debian, release, "bin")),
        ...(onPath ? [dirname(realpathSync(onPath))] : []),
    ].find((directory) => ["initdb", "postgres", "psql"].every((name) => isExecutable(join(directory, name))));
}

/** Reports whether PostgreSQL's programs can be run. */
export function hasPostgresql(): boolean {
    return findDirectory() !== undefined;
}

/**
 * The folder of PostgreSQL's programs.
 *
 * @throws Failure when there is none
 */
export function postgresqlDirectory(): string {
    const directory = findDirectory();
    if (!directory) {
        throw new Failure(`PostgreSQL is missing. ${howToGetIt}`);
    }
    return directory;
}

/**
 * Installs PostgreSQL from Debian, without the database that Debian would create and start.
 *
 * @throws Failure with the way to install it if packages cannot be installed from here
 */
export async function installPostgresql(): Promise<void> {
    if (process.getuid?.() === 0 && findOnPath("apt-get") && !existsSync(debianSettings)) {
        mkdirSync(dirname(debianSettings), { recursive: true });
        writeFileSync(debianSettings, "create_main_cluster = false\n");
    }
    await aptGetInstall("PostgreSQL", howToGetIt, ["postgresql"]);
}
