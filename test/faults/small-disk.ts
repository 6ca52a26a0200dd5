import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { run } from "../../lib/run";

async function succeed(program: string, ...args: string[]): Promise<void> {
    const { exitCode, output } = await run(program, args);
    if (exitCode !== 0) {
        throw new Error(`${program} ${args.join(" ")}: ${output}`);
    }
}

/** A folder on a disk of its own, in memory, that is soon full. Needs root. */
export class SmallDisk {
    private constructor(private readonly folder: string) {}

    /**
     * Puts a folder, with what is in it, on a disk of its own.
     *
     * @param size of the disk, in bytes
     */
    static async under(folder: string, size: number): Promise<SmallDisk> {
        const aside = `${folder}.aside`;
        if (existsSync(folder)) {
            renameSync(folder, aside);
        }
        mkdirSync(folder, { recursive: true });
        await succeed("mount", "-t", "tmpfs", "-o", `size=${size},mode=700`, "hearth-faults", folder);
        if (existsSync(aside)) {
            cpSync(aside, folder, { recursive: true, preserveTimestamps: true });
            rmSync(aside, { recursive: true });
        }
        return new SmallDisk(folder);
    }

    /** Frees space on it, as deleting files does. */
    async grow(): Promise<void> {
        await succeed("mount", "-o", "remount,size=2g", this.folder);
    }

    /** Puts the folder back where it was; nobody may use it meanwhile. */
    async remove(): Promise<void> {
        const aside = `${this.folder}.aside`;
        cpSync(this.folder, aside, { recursive: true, preserveTimestamps: true });
        await succeed("umount", this.folder);
        rmSync(this.folder, { recursive: true });
        renameSync(aside, this.folder);
    }
}
