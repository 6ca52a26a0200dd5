import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { run } from "../../lib/run";

async function succeed(program: string, ...args: string[]): Promise<void> {
    const { exitCode, output } = await run(program, args);
    if (exitCode !== 0) {
        throw new Error(`${program} ${args.join(" ")}: ${output}`);
    }
}

/** A folder on a small disk in memory. Needs root. */
export class SmallDisk {
    private constructor(private readonly folder: string) {}

    /**
     * Moves a folder with its contents to a separate disk.
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

    /** Moves the folder back; it must not be in use meanwhile. */
    async remove(): Promise<void> {
        const aside = `${this.folder}.aside`;
        cpSync(this.folder, aside, { recursive: true, preserveTimestamps: true });
        await succeed("umount", this.folder);
        rmSync(this.folder, { recursive: true });
        renameSync(aside, this.folder);
    }
}
