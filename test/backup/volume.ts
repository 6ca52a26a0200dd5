import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { secretData } from "../../components/backup";
import { parseSettings } from "../../config/settings";
import { root } from "../../lib/root";
import { tool } from "../../toolchain/tools";

/** Last line of a container: what hack/status reads. */
export interface Result {
    readonly hearth: string;
    readonly ok: boolean;
    readonly reason?: string;
    readonly message: string;
    readonly copies?: Readonly<Record<string, string>>;
    readonly since?: Readonly<Record<string, string>>;
    readonly bytes?: number;
    readonly files?: number;
}

/** End of a container; a code of null is a signal. */
export interface Ended {
    readonly code: number | null;
    readonly output: string;
    readonly result: Result | undefined;
}

const settings = {
    domain: "home.example.com",
    kubeconfig: "/dev/null",
    repository: { url: "https://git.example.com/home/hearth.git" },
    loadBalancer: { addresses: ["10.0.0.1-10.0.0.9"] },
    nfs: { server: "nas", path: "/export" },
};

/** A home's `hearth:backup` as its pods get it: the Secret's files in a folder. */
export function targetFolder(backup: object): string {
    const parsed = parseSettings({
        stack: "test",
        values: Object.fromEntries(
            Object.entries({ ...settings, backup }).map(([key, value]) => [
                key,
                typeof value === "string" ? value : JSON.stringify(value),
            ]),
        ),
        secretKeys: new Set(["backup"]),
    });
    const folder = mkdtempSync(join(tmpdir(), "hearth-target-"));
    if (parsed.backup !== undefined) {
        for (const [key, value] of Object.entries(secretData(parsed.backup))) {
            writeFileSync(join(folder, key), value, { mode: 0o400 });
        }
    }
    return folder;
}

/** A claim, with the containers of its CronJobs and of its workload, which run as processes here. */
export class Volume {
    readonly directory = mkdtempSync(join(tmpdir(), "hearth-volume-"));
    /** The claim's files. */
    readonly files = join(this.directory, "copy", "files");
    /** The program, and a PATH that contains it. */
    readonly restic = tool("restic");
    readonly path = `${dirname(this.restic)}:${process.env["PATH"]}`;
    #running: ChildProcess | undefined;

    constructor(
        /** Files of the Secret. */
        public target: string,
        private readonly env: Readonly<Record<string, string>> = {},
    ) {
        mkdirSync(this.files, { recursive: true });
        this.clearScratch();
    }

    /** Writes a file of the service. */
    write(path: string, content: string): void {
        mkdirSync(dirname(join(this.files, path)), { recursive: true });
        writeFileSync(join(this.files, path), content);
    }

    /** Runs a container's script to its end. */
    async run(action: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
        const python = action === "copy" || action === "check";
        const script = join(root, "charts/common/files", python ? "databases.py" : "backup.sh");
        return this.command([...(python ? ["python3"] : ["sh"]), script, action], env);
    }

    /** Runs a command with the variables and the mounts of a container. */
    async command(
        [program = "", ...args]: readonly string[],
        env: Readonly<Record<string, string>> = {},
    ): Promise<Ended> {
        const child = spawn(program, args, {
            detached: true,
            stdio: ["ignore", "pipe", "pipe"],
            env: {
                PATH: this.path,
                HOME: this.directory,
                CLAIM: "notes/notes-data",
                HOME_NAME: "home.example.com",
                TARGETS: "main",
                SECRETS: this.target,
                ROOT: join(this.directory, "copy"),
                COPIED: join(this.directory, "copied"),
                VOLUME: this.files,
                RESULT: join(this.directory, "result"),
                RESTIC_CACHE_DIR: join(this.directory, "cache"),
                RETRY_LOCK: "0s",
                REACH_LIMIT: "15",
                ...this.env,
                ...env,
            },
        });
        this.#running = child;
        let output = "";
        const add = (chunk: Buffer) => {
            output += chunk.toString();
        };
        child.stdout.on("data", add);
        child.stderr.on("data", add);
        const code = await new Promise<number | null>((resolve, reject) => {
            child.once("error", reject);
            child.once("close", resolve);
        });
        const line = output
            .trim()
            .split("\n")
            .findLast((each) => each.startsWith('{"hearth"') && !each.includes('"progress"'));
        return { code, output, result: line === undefined ? undefined : (JSON.parse(line) as Result) };
    }

    /** Kills all processes, like a power cut. */
    kill(): void {
        if (this.#running?.pid !== undefined) {
            try {
                process.kill(-this.#running.pid, "SIGKILL");
            } catch {
                // It ended in this moment.
            }
        }
    }

    /** Empty folders for a pod's other volumes. */
    clearScratch(): void {
        for (const name of ["copy/databases", "copied"]) {
            rmSync(join(this.directory, name), { recursive: true, force: true });
            mkdirSync(join(this.directory, name), { recursive: true });
        }
    }

    /** The pod of the CronJob that copies the claim: databases first, then everything. */
    async backup(env: Readonly<Record<string, string>> = {}): Promise<Ended> {
        this.clearScratch();
        const databases = await this.run("copy", env);
        return databases.code === 0 ? this.run("backup", env) : databases;
    }

    /** A claim with the same files. */
    clone(): Volume {
        const made = this.replacement();
        cpSync(this.files, made.files, { recursive: true, verbatimSymlinks: true });
        return made;
    }

    /** Another claim of the same name, as after the node's disk died. */
    replacement(): Volume {
        return new Volume(this.target, this.env);
    }

    /** Paths and checksums of the service's own files. */
    content(folder = this.files): Record<string, string> {
        const names = readdirSync(folder, { recursive: true, withFileTypes: true });
        return Object.fromEntries(
            names
                .map((each) => join(each.parentPath, each.name))
                .filter((path) => !/\.hearth-(volume|restore)/.test(path) && lstatSync(path).isFile())
                .sort()
                .map((path) => [relative(folder, path), createHash("sha256").update(readFileSync(path)).digest("hex")]),
        );
    }

    /** Deletes everything. */
    remove(): void {
        this.kill();
        rmSync(this.directory, { recursive: true, force: true });
    }
}
