import { randomFillSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import { runMain } from "../lib/failure";
import { root } from "../lib/root";
import { Volume } from "../test/backup/volume";
import { machine, results } from "./record";

/**
 * Cost of a volume's first copy, of the next one after a change of 1 %, and of its restore: `npx tsx bench/backup.ts
 * [files] [megabytes]`, by default 10,000 files with 1,000 MB. Each is compared with restic alone on the same data,
 * with a repository in a folder. Needs GNU time. Prints a table and writes bench/results/backup.json.
 */
const [files = 10_000, megabytes = 1_000] = process.argv.slice(2).map(Number);

interface Cost {
    readonly seconds: number;
    /** Peak memory of the largest process, in MiB. */
    readonly memory: number;
}

const pathOf = (index: number) => `folder-${index % 100}/file-${index}`;

function fill(volume: Volume, indexes: readonly number[]): void {
    const content = Buffer.alloc(Math.round((megabytes * 1e6) / files));
    for (const index of indexes) {
        volume.write(pathOf(index), "");
        writeFileSync(join(volume.files, pathOf(index)), randomFillSync(content));
    }
}

/** Runs commands one after the other, as the containers of a pod. */
async function cost(volume: Volume, commands: readonly (readonly string[])[], env = {}): Promise<Cost> {
    const report = join(volume.directory, "time");
    const costs: Cost[] = [];
    for (const command of commands) {
        const { code, output } = await volume.command(
            ["time", "--format=%e %M", `--output=${report}`, ...command],
            env,
        );
        if (code !== 0) {
            throw new Error(output);
        }
        const [seconds = 0, kibibytes = 0] = readFileSync(report, "utf8").trim().split(" ").map(Number);
        costs.push({ seconds, memory: kibibytes / 1024 });
    }
    const sum = costs.reduce((total, { seconds }) => total + seconds, 0);
    return { seconds: sum, memory: Math.max(...costs.map(({ memory }) => memory)) };
}

const scripts = join(root, "charts/common/files");
const script = (action: string) => ["sh", join(scripts, "backup.sh"), action];

async function main(): Promise<number> {
    const plain = mkdtempSync(join(tmpdir(), "hearth-plain-"));
    const target = join(plain, "target");
    mkdirSync(target);
    writeFileSync(join(target, "main.repository"), join(plain, "hearth"));
    writeFileSync(join(target, "password"), "of the measurement");
    const volume = new Volume(target);
    const env = {
        RESTIC_REPOSITORY: join(plain, "restic"),
        RESTIC_PASSWORD_FILE: join(target, "password"),
        RESTIC_CACHE_DIR: join(plain, "cache"),
    };
    const restic = (...args: string[]) => cost(volume, [[volume.restic, ...args]], env);
    const copy = () => {
        volume.clearScratch();
        return cost(volume, [["python3", join(scripts, "databases.py"), "copy"], script("backup")]);
    };
    const all = Array.from({ length: files }, (_, index) => index);
    const measured: { what: string; hearth: Cost; restic: Cost }[] = [];
    try {
        fill(volume, all);
        await cost(volume, [script("repository")]);
        await restic("init");
        measured.push({ what: "first copy", hearth: await copy(), restic: await restic("backup", volume.files) });
        fill(volume, all.slice(0, Math.ceil(files / 100)));
        measured.push({ what: "next copy", hearth: await copy(), restic: await restic("backup", volume.files) });
        const fresh = volume.replacement();
        const restored = await cost(fresh, [script("prepare")]);
        const same = JSON.stringify(fresh.content()) === JSON.stringify(volume.content());
        fresh.remove();
        if (!same) {
            throw new Error("the restored volume differs from the original");
        }
        mkdirSync(join(plain, "restored"));
        const alone = await restic("restore", `latest:${volume.files}`, "--target", join(plain, "restored"));
        measured.push({ what: "restore", hearth: restored, restic: alone });
    } finally {
        volume.remove();
        rmSync(plain, { recursive: true, force: true });
    }
    const table = new Table({ head: ["", "seconds", "of restic's", "peak MiB", "of restic's"] });
    for (const { what, hearth, restic: other } of measured) {
        table.push([
            what,
            hearth.seconds.toFixed(1),
            (hearth.seconds / other.seconds).toFixed(2),
            hearth.memory.toFixed(0),
            (hearth.memory / other.memory).toFixed(2),
        ]);
    }
    process.stdout.write(`${files} files, ${megabytes} MB\n${table.toString()}\n`);
    const text = JSON.stringify({ ...machine(), files, megabytes, measured }, null, 2);
    writeFileSync(join(results, "backup.json"), `${text}\n`);
    return 0;
}

runMain("bench/backup.ts", main);
