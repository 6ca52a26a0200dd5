import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../lib/failure";
import { isFree } from "../lib/ports";
import { run } from "../lib/run";
import { sourcesOf } from "../toolchain/go-build";
import { testTools } from "../toolchain/tools";
import type { Closeable } from "./http-server";
import { ownTool } from "./links";
import type { SandboxPaths } from "./paths";
import { portInUse, type SandboxSettings } from "./settings";
import { type ProcessSpec, Supervisor } from "./supervisor";

/** Milliseconds for Gitea to be ready. */
const readyLimit = 60_000;

/** A secret of Gitea's own, generated once. */
function ownSecret(directory: string, name: string): string {
    const file = join(directory, name);
    if (!existsSync(file)) {
        writeFileSync(file, randomBytes(48).toString("base64url"), { mode: 0o600 });
    }
    return `file:${file}`;
}

/**
 * app.ini: the settings of charts/gitops, with loopback instead of the home's addresses. Templates and translations are
 * read from the sources; a release embeds them.
 */
function configuration(directory: string, port: number, sources: string): string {
    return `
WORK_PATH = ${directory}
RUN_MODE = prod
${process.getuid?.() === 0 ? "I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true" : ""}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = ${port}
ROOT_URL = http://127.0.0.1:${port}/
STATIC_ROOT_PATH = ${sources}
OFFLINE_MODE = true
DISABLE_SSH = true
[database]
DB_TYPE = sqlite3
PATH = ${join(directory, "data/gitea.db")}
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
SECRET_KEY_URI = ${ownSecret(directory, "secret-key")}
INTERNAL_TOKEN_URI = ${ownSecret(directory, "internal-token")}
[service]
DISABLE_REGISTRATION = true
REQUIRE_SIGNIN_VIEW = true
[ui]
FEED_MAX_COMMIT_NUM = 100
[webhook]
ALLOWED_HOST_LIST = loopback
[log]
MODE = console
LEVEL = Warn
`;
}

/**
 * Runs Gitea, the program of charts/gitops, as a process on loopback until closed. An empty one gets its administrator;
 * the Pulumi program declares the rest.
 *
 * @throws Failure when the port is in use, or Gitea does not start
 */
export async function startGitea(
    paths: SandboxPaths,
    port: number,
    { administrator, password }: Exclude<SandboxSettings["gitea"], string | undefined>,
    log: (line: string) => void,
): Promise<Closeable> {
    if (!(await isFree(port))) {
        throw portInUse(port, "hearth:repository.url");
    }
    const directory = paths.gitea;
    const logFile = join(paths.logs, "gitea.log");
    mkdirSync(directory, { recursive: true });
    const file = join(directory, "app.ini");
    writeFileSync(file, configuration(directory, port, await sourcesOf("gitea", testTools.gitea)));
    const spec: ProcessSpec = {
        program: ownTool(paths, "gitea"),
        args: ["--config", file, "web"],
        env: { PATH: process.env["PATH"], HOME: directory, USER: process.env["USER"] ?? "root" },
        cwd: directory,
        logFile,
    };
    const command = async (...args: string[]) => {
        const { exitCode, output } = await run(spec.program, ["--config", file, ...args], spec);
        if (exitCode !== 0) {
            throw new Failure(`gitea ${args.slice(0, 3).join(" ")} exited with ${exitCode}: ${output.trim()}`);
        }
        return output;
    };
    await command("migrate");
    if (!new RegExp(`^\\d+\\s+${administrator}\\s`, "m").test(await command("admin", "user", "list"))) {
        // Like the chart. The password of the sandbox's Gitea is in its settings in plain text.
        const account = ["--username", administrator, "--password", password, "--email", "hearth@home.arpa"];
        await command("admin", "user", "create", "--admin", ...account, "--must-change-password=false");
    }
    const supervisor = new Supervisor("gitea", spec, log);
    for (const end = Date.now() + readyLimit; ; await delay(100)) {
        const answer = await fetch(`http://127.0.0.1:${port}/api/healthz`).catch(() => undefined);
        if (answer?.ok) {
            return { close: () => supervisor.stop() };
        }
        if (Date.now() > end) {
            await supervisor.stop();
            throw new Failure(`Gitea is not ready after ${readyLimit / 1_000} s: see ${logFile}`);
        }
    }
}
