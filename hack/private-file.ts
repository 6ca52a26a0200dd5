import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new folder: in memory if possible, even where `su` or cron name such a folder without creating it. */
function privateDirectory(): string {
    for (const parent of [process.env["XDG_RUNTIME_DIR"], tmpdir()]) {
        try {
            return mkdtempSync(join(parent || "/nowhere", "hearth-"));
        } catch {
            // The next one, or /tmp.
        }
    }
    return mkdtempSync("/tmp/hearth-");
}

/**
 * Calls `use` with the path of a temporary file that only this user can read.
 *
 * @param name of the file
 */
export async function withPrivateFile<T>(
    name: string,
    contents: string,
    use: (path: string) => Promise<T>,
): Promise<T> {
    const directory = privateDirectory();
    try {
        const path = join(directory, name);
        writeFileSync(path, contents, { mode: 0o600 });
        return await use(path);
    } finally {
        rmSync(directory, { recursive: true, force: true });
    }
}
